import { setTimeout as delay } from 'node:timers/promises';
import type { ActivityInput } from '../../model/activity-inputs.ts';
import type { RecoveryView } from '../../supervisor/protocol.ts';
import type { SliceProgress } from '../../workflows/contracts.ts';
import { type HostDependencies, hostAttempt } from '../host-attempt.ts';

export interface SliceOptions {
	sliceMs?: number;
	pollMs?: number;
}

/**
 * One slice of the migration: tells the migration mover to go on, watches it, and returns when all is restored or the slice is
 * over. The mover works without anybody watching; heartbeats carry how far it is, for those who cannot ask the supervisor.
 */
export const migrateChunks = (host: HostDependencies, { sliceMs = 10 * 60_000, pollMs = 500 }: SliceOptions = {}) =>
	hostAttempt(
		host,
		async (
			{ name, maxRateBytes }: ActivityInput<'migrateChunks'>,
			call,
			{ signal, report },
		): Promise<{ complete: boolean; restoredBytes: number }> => {
			await host.supervisor.step(name, 'migrate-chunks', { ...call, maxRateBytes }, { signal });
			const end = performance.now() + sliceMs;
			for (let waitMs = 20; ; waitMs = Math.min(waitMs * 2, pollMs)) {
				const view = await host.supervisor.recovery(name, { signal });
				const progress = progressOf(view);
				report(progress);
				if (view.restored || performance.now() >= end)
					return { complete: view.restored, restoredBytes: progress.restoredBytes };
				await delay(waitMs, undefined, { signal }); // short at first: what is nearly local is soon reported
			}
		},
	);

function progressOf({ disks }: RecoveryView): SliceProgress {
	return { restoredBytes: disks.reduce((sum, disk) => sum + disk.restoredBytes, 0), disks };
}
