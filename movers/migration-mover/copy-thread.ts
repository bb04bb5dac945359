/** A thread of the migration mover: it has connections of its own to the repository mover, one for each job. */
import { workerData } from 'node:worker_threads';
import { copyChunks } from '../../repository/copy/copy-chunks.ts';
import { reachedFromEnvironment } from '../../system/reached.ts';
import { answerJobs } from '../../system/thread-jobs.ts';
import { migrationMoverConfigSchema } from '../config.ts';
import { openRepositoryMover } from '../repository-mover/open-client.ts';

const source = await openRepositoryMover(migrationMoverConfigSchema.parse(workerData));
const reached = reachedFromEnvironment();

answerJobs((job, orders) => copyChunks(job, source, orders, reached));
