import { parentPort } from 'node:worker_threads';
import { asRouseError, RouseError } from '../model/errors.ts';
import type { ThreadAnswer, ThreadOrder } from './thread-pool.ts';

export interface JobOrders {
	/** Aborted when the job is to stop. Nothing tells a thread that is busy: between two pieces of work it asks `stopped`. */
	signal: AbortSignal;
	stopped(): boolean;
}

/**
 * Makes this thread one of a pool (thread-pool.ts): answers each job with what `work` returns or throws. Jobs that wait for
 * something overlap. `work` gets what the pool was given, by structured clone: of a Buffer over shared memory a Uint8Array. Of what
 * type it is `work` says: it is not parsed, since it comes from this very program, and what parses would be loaded by every thread anew.
 */
export function answerJobs(work: (job: never, orders: JobOrders) => unknown): void {
	const port = parentPort;
	if (port === null) throw new RouseError('internal', 'answerJobs is for threads');
	const running = new Map<number, AbortController>();
	const answer = async (id: number, job: never, stop: Int32Array): Promise<ThreadAnswer> => {
		const abort = new AbortController();
		running.set(id, abort);
		try {
			const stopped = () => Atomics.load(stop, 0) !== 0;
			return { id, answer: await work(job, { signal: abort.signal, stopped }) };
		} catch (error) {
			return { id, failure: asRouseError(error).toDocument() };
		} finally {
			running.delete(id);
		}
	};
	port.on('message', (told: ThreadOrder<never>) => {
		if (!('id' in told)) running.get(told.stop)?.abort(new RouseError('interrupted', 'the job was stopped'));
		else void answer(told.id, told.job, told.stop).then(result => port.postMessage(result));
	});
}
