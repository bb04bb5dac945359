/** A thread that decodes whole chunks for the mount mover (decode-threads.ts). */
import { decodeChunkInto } from '../../repository/format/chunk.ts';
import { answerJobs } from '../../system/thread-jobs.ts';
import { readJob } from './decode-job.ts';

/** Answers for each chunk whether its bytes are there, and right. */
answerJobs(([slab, count]: readonly [SharedArrayBuffer, number], orders) =>
	readJob(slab, count).map(({ digest, stored, into }) => {
		if (orders.stopped()) return false;
		try {
			// Where it came from is told by whoever meets that again.
			decodeChunkInto({ digest, packId: '', offsetBytes: 0, storedBytes: stored.length }, stored, into);
			return true;
		} catch {
			return false;
		}
	}),
);
