import { setTimeout as delay } from 'node:timers/promises';
import { RouseError } from '../model/errors.ts';

export interface WaitOptions {
	timeoutMs: number;
	everyMs?: number;
	signal?: AbortSignal | undefined;
	/** Whose time it is. */
	clock?: { now(): number; delay(ms: number, signal?: AbortSignal): Promise<void> };
}

const ownClock = {
	now: () => performance.now(),
	delay: (ms: number, signal?: AbortSignal) => delay(ms, undefined, signal ? { signal } : {}),
};

/**
 * Looks again and again until `look` gives something other than undefined or false. Throws `timeout`, naming what was
 * waited for, when `timeoutMs` have passed.
 */
export async function waitFor<T>(
	what: string,
	look: () => Promise<T | undefined | false> | T | undefined | false,
	{ timeoutMs, everyMs = 20, signal, clock = ownClock }: WaitOptions,
): Promise<T> {
	const deadline = clock.now() + timeoutMs;
	for (;;) {
		signal?.throwIfAborted();
		const found = await look();
		if (found !== undefined && found !== false) return found;
		if (clock.now() >= deadline) throw new RouseError('timeout', `${what}: not within ${timeoutMs} ms`);
		try {
			await clock.delay(everyMs, signal);
		} catch (error) {
			signal?.throwIfAborted(); // its own reason, not that of a timer which was cut short
			throw error;
		}
	}
}
