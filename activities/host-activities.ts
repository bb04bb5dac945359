import { allocateDisks } from './host/allocate-disks.ts';
import { createMachine } from './host/create-machine.ts';
import { discard } from './host/discard.ts';
import { finalize } from './host/finalize.ts';
import { migrateChunks, type SliceOptions } from './host/migrate-chunks.ts';
import { power } from './host/power.ts';
import { powerOn } from './host/power-on.ts';
import { reserve } from './host/reserve.ts';
import { retry } from './host/retry.ts';
import { startMovers } from './host/start-movers.ts';
import { switchToTarget } from './host/switch-to-target.ts';
import { takeSnapshot } from './host/take-snapshot.ts';
import type { HostDependencies } from './host-step.ts';

/** What a host worker does: every step is the supervisor's, asked for with the recovery's id and generation. */
export function createHostActivities(host: HostDependencies, slices?: SliceOptions) {
	return {
		reserve: reserve(host),
		allocateDisks: allocateDisks(host),
		createMachine: createMachine(host),
		startMovers: startMovers(host),
		takeSnapshot: takeSnapshot(host),
		powerOn: powerOn(host),
		migrateChunks: migrateChunks(host, slices),
		switchToTarget: switchToTarget(host),
		finalize: finalize(host),
		discard: discard(host),
		power: power(host),
		retry: retry(host),
	};
}

export type HostActivities = ReturnType<typeof createHostActivities>;
