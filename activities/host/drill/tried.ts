/** What a test came to. */
export interface Tried {
	/** Why it did not pass; undefined when it did. */
	why: string | undefined;
	output: string;
}
