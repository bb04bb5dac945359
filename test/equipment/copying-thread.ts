/** A thread of `CopyThreads` over a repository's own directory, which tests hold up or end before a write. */
import { workerData } from 'node:worker_threads';
import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { copyChunks } from '../../repository/copy/copy-chunks.ts';
import type { CopyJob } from '../../repository/copy/copy-job.ts';
import { DirectChunkSource } from '../../repository/direct-chunk-source.ts';
import { openRepository } from '../../repository/repository.ts';
import { answerJobs } from '../../system/thread-jobs.ts';

const { repository, shared } = z.object({ repository: z.string(), shared: z.instanceof(Int32Array) }).parse(workerData);
const source = new DirectChunkSource((await openRepository(repository)).store);

/** As `HeldThreads` (held-threads.ts) says. */
function beforeWrite(place: string): void {
	if (place !== 'copy.verified') return;
	Atomics.add(shared, 0, 1);
	if (Atomics.load(shared, 1) === 2) process.exit(3);
	Atomics.wait(shared, 1, 1, 30_000);
}

const ranges: typeof source.ranges = (refs, options) => {
	if (Atomics.load(shared, 1) === 3) throw new RouseError('mover_unreachable', 'it is away');
	return source.ranges(refs, options);
};

answerJobs((job: CopyJob, orders) => copyChunks(job, { ranges }, orders, beforeWrite));
