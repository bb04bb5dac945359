/** A thread of an import that at its third job spoils what it was to make, and dies. */
import { doSegmentJob, type SegmentJob } from '../../repository/import/segment-jobs.ts';
import { SegmentSlab } from '../../repository/import/segment-slab.ts';
import { answerJobs } from '../../system/thread-jobs.ts';

let jobs = 0;

answerJobs((job: SegmentJob) => {
	if (++jobs < 3) return doSegmentJob(job);
	const { shape, shared, encode } = job;
	const slab = new SegmentSlab(shape, shared);
	const digests = { digest: Buffer.alloc(32, 1), frameDigests: Buffer.alloc(32, 2) };
	if (encode === undefined) for (let position = 0; position < shape.chunks; position++) slab.note(position, digests);
	for (const position of encode ?? [])
		slab.store(position, (into, at) => {
			into.fill(3, at, at + 1000);
			return 1000;
		});
	process.exit(1);
});
