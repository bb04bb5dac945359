/** A thread of an import: digests and encodes segments in slabs (segment-threads.ts). */
import { answerJobs } from '../../system/thread-jobs.ts';
import { doSegmentJob } from './segment-jobs.ts';

answerJobs(doSegmentJob);
