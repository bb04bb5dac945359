/** A thread that does what the tests of `ThreadPool` ask of it. */
import { setTimeout as delay } from 'node:timers/promises';
import { threadId } from 'node:worker_threads';
import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { answerJobs } from '../../system/thread-jobs.ts';

const jobSchema = z.object({
	what: z.enum(['say', 'throw', 'exit', 'crash', 'wait', 'spin']),
	word: z.string().default(''),
	/** The first is counted up when the job begins; `say` waits until the second is not 0. */
	shared: z.instanceof(Int32Array).optional(),
});

answerJobs(async (job, orders) => {
	const { what, word, shared } = jobSchema.parse(job);
	if (shared) Atomics.add(shared, 0, 1);
	if (what === 'throw') throw new RouseError('io_failed', `no ${word}`, { hint: 'none' });
	if (what === 'exit') process.exit(3);
	if (what === 'crash') setImmediate(() => crash(word));
	if (what === 'wait' || what === 'crash') {
		await delay(60_000, undefined, { signal: orders.signal }).catch(() => {});
		return { word: 'stopped', thread: threadId };
	}
	if (what === 'spin') while (!orders.stopped()) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
	if (shared && shared[1] === 0) Atomics.wait(shared, 1, 0, 20_000);
	return { word, thread: threadId };
});

function crash(word: string): void {
	throw new Error(word);
}
