/** A thread that decodes whole chunks for the mount mover (decode-threads.ts). */
import { RouseError } from '../../model/errors.ts';
import { decodeChunkInto } from '../../repository/format/chunk.ts';
import { answerJobs } from '../../system/thread-jobs.ts';
import { readJob } from './decode-job.ts';

/** Answers for each chunk whether its bytes are there, and right. */
answerJobs((job, orders) => {
	if (!Array.isArray(job) || !(job[0] instanceof SharedArrayBuffer) || typeof job[1] !== 'number')
		throw new RouseError('internal', 'no job of a decode thread');
	return readJob(job[0], job[1]).map(({ digest, stored, into }) => {
		if (orders.stopped()) return false;
		try {
			// Where it came from is told by whoever meets that again.
			decodeChunkInto({ digest, packId: '', offsetBytes: 0, storedBytes: stored.length }, stored, into);
			return true;
		} catch {
			return false;
		}
	});
});
