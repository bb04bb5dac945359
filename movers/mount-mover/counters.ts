/** What a mount mover did since it started, for people and for `bench/`. */
export class Counters {
	[name: string]: number;
	/** Pieces of reads, by where they came from. */
	localReads = 0;
	cachedReads = 0;
	/** Reads that had to wait for the repository, and those that were answered with an error. */
	waitedReads = 0;
	failedReads = 0;
	fetchedChunks = 0;
	fetchedBytes = 0;
	/** Chunks that the migration mover took, and those it had no time for. */
	offersTaken = 0;
	offersDropped = 0;
}
