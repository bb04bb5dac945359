/** A thread of an export: it reads the repository itself. */
import { workerData } from 'node:worker_threads';
import * as z from 'zod';
import { copyChunks } from '../repository/copy/copy-chunks.ts';
import { DirectChunkSource } from '../repository/direct-chunk-source.ts';
import { openRepository } from '../repository/repository.ts';
import { answerJobs } from '../system/thread-jobs.ts';

const { repository } = z.object({ repository: z.string() }).parse(workerData);
const source = new DirectChunkSource((await openRepository(repository)).store);

/** What is not in its place the main thread looks for, once for all. */
const ranges: typeof source.ranges = (refs, options) => source.ranges(refs, { ...options, placesOnly: true });

answerJobs((job, orders) => copyChunks(job, { ranges }, orders));
