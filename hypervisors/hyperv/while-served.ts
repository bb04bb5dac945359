import { setTimeout as delay } from 'node:timers/promises';
import { isAlive, startTarget } from './iscsi/target.ts';
import { targetOf } from './base-target.ts';
import type { Call } from './parts.ts';
import { records } from './record.ts';
import { checkServed } from './volume.ts';

const lookEveryMs = 500;

/**
 * Windows reads the volume in `work`, and a step that waits for Windows keeps everybody else from looking after what serves it: what
 * dies meanwhile is started anew at its port, to which Windows' session comes back by itself. Only what was presented, and nothing any
 * more when this returns: what a step takes away afterwards stays away.
 */
export async function whileServed<T>(call: Call, work: () => Promise<T>): Promise<T> {
	const over = new AbortController();
	const keeping = keepAlive(call, over.signal);
	try {
		return await work();
	} finally {
		over.abort();
		await keeping;
	}
}

async function keepAlive(call: Call, over: AbortSignal): Promise<void> {
	const { seen } = call.parts;
	while (!over.aborted) {
		try {
			if (seen.base !== 'unknown') await reviveTarget(call);
		} catch {
			// The mount mover may be on its way, or the port another's: what `work` meets then it tells itself.
		}
		await delay(lookEveryMs, undefined, { signal: over }).catch(() => undefined);
	}
}

async function reviveTarget({ parts, options }: Call): Promise<void> {
	const { definition, paths, seen } = parts;
	const { iscsi } = await records.of(definition, paths);
	const target = targetOf(parts, iscsi);
	if (await isAlive(target)) return;
	await checkServed(parts, options);
	// The guest may have met errors: whoever looks next is to know.
	seen.base = 'anew';
	await startTarget(target, options);
}
