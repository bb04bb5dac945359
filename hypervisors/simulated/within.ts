import { RouseError } from '../../model/errors.ts';
import type { Clock } from '../../system/clock.ts';

/** Throws `hypervisor_stuck` when `work` has not ended after `ms`; its signal is aborted then. */
export async function within<T>(
	clock: Pick<Clock, 'delay'>,
	{ what, ms, signal }: { what: string; ms: number; signal?: AbortSignal | undefined },
	work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
	const over = new AbortController();
	const either = signal ? AbortSignal.any([signal, over.signal]) : over.signal;
	const late = clock.delay(ms, either).then(() => {
		throw new RouseError('hypervisor_stuck', `${what}: no answer within ${ms} ms`);
	});
	late.catch(() => undefined); // nobody is told when the work was in time
	try {
		return await Promise.race([work(either), late]);
	} finally {
		over.abort();
	}
}
