import { FinishedMachine } from '../recovery/finished-machine.ts';
import type { Recovery } from '../recovery/recovery.ts';
import type { Tenant } from './account.ts';

/** As it is at this moment: nothing is waited for, so that all of a report are seen together. */
export function tenantOf(entry: Recovery | FinishedMachine): Tenant {
	const { recoveryId } = entry;
	if (entry instanceof FinishedMachine) {
		const { runs, size } = entry;
		return { recoveryId, ...size, runs, lease: null, recovers: false, copies: false };
	}
	const { state, seen, tombstone } = entry;
	const { memoryMiB = 0, cpus = 0 } = state.plan?.config ?? state.request ?? {};
	const size = { recoveryId, memoryMiB, cpus };
	// From its tombstone on it is a machine like those that were finished before; its answer says after which report.
	if (tombstone?.state === 'finished') {
		const power = seen.machine?.power ?? state.power.desired;
		return { ...size, runs: power !== 'off', lease: null, recovers: false, copies: false };
	}
	// One that is removed has its memory until it is gone; one that is off is powered on without that a broker is asked.
	const copies = seen.migration?.copying ?? false;
	return { ...size, runs: true, lease: state.lease, recovers: tombstone === undefined, copies };
}

/** Of the host's memory; a platform that does not tell gives a machine all of its own when it starts. */
export async function takenMiB(entry: Recovery | FinishedMachine): Promise<number> {
	if (entry instanceof FinishedMachine) return entry.takenMiB();
	if (!entry.equipped) return 0;
	const told = entry.equipment.machine.takenMiB?.();
	if (told !== undefined) return told;
	return (entry.seen.machine?.power ?? 'off') === 'off' ? 0 : tenantOf(entry).memoryMiB;
}
