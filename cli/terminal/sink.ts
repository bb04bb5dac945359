/** The part of a stream that the frame needs; tests hand in their own. */
export interface Sink {
	write(text: string): unknown;
	readonly isTTY?: boolean | undefined;
	readonly columns?: number | undefined;
	readonly rows?: number | undefined;
}
