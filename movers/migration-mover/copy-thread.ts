/** A thread of the migration mover: it has connections of its own to the repository mover, one for each job. */
import { workerData } from 'node:worker_threads';
import { copyChunks } from '../../repository/copy/copy-chunks.ts';
import type { CopyJob } from '../../repository/copy/copy-job.ts';
import { reachedFromEnvironment } from '../../system/reached.ts';
import { answerJobs } from '../../system/thread-jobs.ts';
import type { MigrationMoverConfig } from '../config.ts';
import { openRepositoryMover } from '../repository-mover/open-client.ts';

/** The mover's own, which has parsed it. */
const config: MigrationMoverConfig = workerData;
const source = await openRepositoryMover(config);
const reached = reachedFromEnvironment();

answerJobs((job: CopyJob, orders) => copyChunks(job, source, orders, reached));
