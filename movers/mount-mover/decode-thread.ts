/** A thread that decodes whole chunks for the mount mover (decode-threads.ts). */
import * as z from 'zod';
import { chunkRefSchema } from '../../model/chunk.ts';
import { decodeChunkInto } from '../../repository/format/chunk.ts';
import { answerJobs } from '../../system/thread-jobs.ts';

const jobSchema = z.array(
	z.object({ ref: chunkRefSchema, stored: z.instanceof(Uint8Array), into: z.instanceof(Uint8Array) }),
);

/** Answers for each chunk whether its bytes are there, and right. */
answerJobs((job, orders) =>
	jobSchema.parse(job).map(({ ref, stored, into }) => {
		if (orders.stopped()) return false;
		try {
			decodeChunkInto(ref, stored, Buffer.from(into.buffer, into.byteOffset, into.byteLength));
			return true;
		} catch {
			return false; // whoever reads it meets that again, and tells
		}
	}),
);
