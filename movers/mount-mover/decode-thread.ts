/** A thread that decodes whole chunks for the mount mover (decode-threads.ts). */
import type { ChunkRef } from '../../model/chunk.ts';
import { decodeChunkInto } from '../../repository/format/chunk.ts';
import { answerJobs } from '../../system/thread-jobs.ts';

type Job = { ref: ChunkRef; stored: Uint8Array; into: Uint8Array }[];

/** Answers for each chunk whether its bytes are there, and right. */
answerJobs((job: Job, orders) =>
	job.map(({ ref, stored, into }) => {
		if (orders.stopped()) return false;
		try {
			decodeChunkInto(ref, stored, Buffer.from(into.buffer, into.byteOffset, into.byteLength));
			return true;
		} catch {
			return false; // whoever reads it meets that again, and tells
		}
	}),
);
