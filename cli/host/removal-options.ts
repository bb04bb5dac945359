/** Of `host remove`, for a host of another machine. */
export interface RemovalOptions {
	identity?: string | undefined;
	dryRun?: boolean | undefined;
	forget?: boolean | undefined;
	/** For the audit. */
	reason?: string | undefined;
}
