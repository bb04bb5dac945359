/** A thread of an export: it reads the repository itself, what is in its place; the rest the main thread looks for, once for all. */
import { workerData } from 'node:worker_threads';
import { copyChunks } from '../repository/copy/copy-chunks.ts';
import type { CopyJob } from '../repository/copy/copy-job.ts';
import { PlacedReads } from '../repository/placed-reads.ts';
import { DirectoryStore } from '../repository/store/directory.ts';
import { answerJobs } from '../system/thread-jobs.ts';

/** The main thread has it open. */
const { repository }: { repository: string } = workerData;
const source = new PlacedReads(new DirectoryStore(repository));

answerJobs((job: CopyJob, orders) => copyChunks(job, source, orders));
