import type { ErrorDocument } from '../../model/errors.ts';
import type { PlacedRef } from '../chunk-source.ts';

/** Chunks that a thread is to fetch, compare and write: of each its reference, its exact bytes, and where they belong. */
export interface CopyJob {
	/** Open as long as the job is not answered: its number may be another file's afterwards. */
	fd: number;
	refs: PlacedRef[];
	rawBytes: number[];
	atBytes: number[];
}

/** What came of a job. Whatever is not written is left, for whatever reason: who asked knows a way that takes longer. */
export interface CopyAnswer {
	/** Which of the job's chunks. */
	written: number[];
	/** Why some are left. */
	why?: ErrorDocument | undefined;
	/** The file could not be written: nothing of that file is known any more. */
	writeError?: { code: string; message: string; atBytes: number; lengthBytes: number } | undefined;
}
