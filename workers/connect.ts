import { setTimeout as delay } from 'node:timers/promises';
import { NativeConnection } from '@temporalio/worker';
import type { Log } from '../system/log.ts';
import type { Codec } from '../system/payload-codec.ts';
import { readSecurity } from '../system/temporal-security.ts';
import type { TemporalWatch } from './temporal-watch.ts';
import type { TemporalTarget } from '../system/temporal-target.ts';

/** What a worker works through. */
export interface TemporalAccess {
	connection: NativeConnection;
	namespace: string;
	codec: Codec;
	target: TemporalTarget;
}

/**
 * Connects, however long it takes: workers and server are started in any order, and a worker that gave up would only be
 * started again. `read` is asked before every attempt, since the embedded server's address may still have to be written.
 */
export async function connectWithRetry(
	read: () => Promise<TemporalTarget>,
	{ log, watch, signal }: { log: Log; watch: TemporalWatch; signal: AbortSignal },
): Promise<{ connection: NativeConnection; target: TemporalTarget }> {
	for (let waitMs = 50; ; waitMs = Math.min(waitMs * 2, 2_000)) {
		signal.throwIfAborted();
		const beganMs = performance.now();
		try {
			const target = await read();
			const security = await readSecurity(target);
			const connection = await NativeConnection.connect({ address: target.address, ...security });
			await watch.answered();
			return { connection, target };
		} catch (error) {
			await watch.failed(error, beganMs);
			log.info(
				{ reason: error instanceof Error ? error.message : String(error), waitMs },
				'Temporal does not answer yet',
			);
		}
		await delay(waitMs, undefined, { signal });
	}
}
