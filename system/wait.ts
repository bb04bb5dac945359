import { setTimeout as delay } from 'node:timers/promises';
import { RouseError } from '../model/errors.ts';

/**
 * Looks again and again until `look` gives something other than undefined or false. Throws `timeout`, naming what was
 * waited for, when `timeoutMs` have passed.
 */
export async function waitFor<T>(
	what: string,
	look: () => Promise<T | undefined | false> | T | undefined | false,
	{ timeoutMs, everyMs = 20, signal }: { timeoutMs: number; everyMs?: number; signal?: AbortSignal | undefined },
): Promise<T> {
	const deadline = performance.now() + timeoutMs;
	for (;;) {
		signal?.throwIfAborted();
		const found = await look();
		if (found !== undefined && found !== false) return found;
		if (performance.now() >= deadline) throw new RouseError('timeout', `${what}: not within ${timeoutMs} ms`);
		await delay(everyMs, undefined, signal ? { signal } : {});
	}
}
