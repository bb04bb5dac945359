import { setTimeout as delay } from 'node:timers/promises';
import { RouseError } from '../../model/errors.ts';
import type { Context } from './command.ts';

/** Workers are started again and updated while something is followed: that is told once, and no end of the look at it. */
export async function readPatiently<T>(
	read: () => Promise<T>,
	everyMs: number,
	{ output, signal }: Pick<Context, 'output' | 'signal'>,
): Promise<T> {
	for (let told = false; ; told = true) {
		try {
			return await read();
		} catch (error) {
			if (!(error instanceof RouseError) || error.code !== 'worker_missing') throw error;
			if (!told) output.warn(`${error.message}; it is looked at again`);
			await delay(everyMs, undefined, { signal });
		}
	}
}
