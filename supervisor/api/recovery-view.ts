import type { DiskProgress } from '../../model/recovery.ts';
import type { RecoveryView } from '../protocol.ts';
import type { Recovery } from '../recovery/recovery.ts';
import { lastingSteps } from '../files/state.ts';

/** How a recovery stands. Asks no machine: that is done in turn, and the last look is at most half a second old. */
export async function recoveryView(recovery: Recovery): Promise<RecoveryView> {
	const { state, seen, places, equipped, tombstone } = recovery;
	const { restored, disks } = await progressOf(recovery);
	const switched = state.switch.stage === 'done' ? ['switch-to-target'] : [];
	return {
		name: recovery.name,
		recoveryId: recovery.recoveryId,
		machineName: state.plan?.machineName ?? recovery.name,
		generation: state.generation,
		state: tombstone?.state ?? (state.abandoned ? 'abandoned' : 'active'),
		done: [...lastingSteps.filter(step => state.done.includes(step)), ...switched],
		chain: state.chain,
		sealed: state.sealed,
		power: seen.machine?.power ?? 'off',
		blocked: seen.blocked,
		disks,
		nics: state.plan?.nics ?? [],
		restored,
		copying: seen.migration?.copying ?? false,
		copyLimits: seen.migration?.copying ? recovery.pace.limits : [],
		movers: await moversOf(recovery),
		switchPauseMs: state.switch.pauseMs,
		firstReads: seen.mount?.firstReads ?? null,
		unpinned: state.unpinned,
		stalled: stalledIn(recovery),
		switchStage: state.switch.stage,
		powerDesired: state.power.desired,
		powerOrder: state.orders.begun,
		drill: state.plan?.drill ?? null,
		forwards: state.plan?.forwards ?? [],
		readBytes: seen.mount?.counters['fetchedBytes'] ?? null,
		runDirectory: places.runDirectory,
		platform: equipped ? { ...recovery.equipment.machine.debug } : {},
		directory: places.directory,
		incidents: await recovery.incidents.highest(),
	};
}

function stalledIn({ seen: { stalled } }: Recovery): RecoveryView['stalled'] {
	return stalled?.told ? { code: stalled.code, reason: stalled.reason, since: stalled.since } : null;
}

async function progressOf(recovery: Recovery): Promise<{ disks: DiskProgress[]; restored: boolean }> {
	if (!recovery.equipped) return { disks: [], restored: false };
	const { progress, disks } = recovery.equipment;
	if (recovery.state.done.includes('allocate')) {
		try {
			const { disks: read, complete } = await progress.now();
			return { disks: read, restored: complete };
		} catch {
			// A map that cannot be read blocks the recovery, which says so; the rest of the view must not go with it.
		}
	}
	const nothingYet = disks.map(({ image }) => ({ sizeBytes: image.sizeBytes, restoredBytes: 0, path: '' }));
	return { disks: nothingYet, restored: false };
}

async function moversOf(recovery: Recovery): Promise<RecoveryView['movers']> {
	if (!recovery.equipped) return [];
	const { mount, migration, repository } = recovery.equipment;
	return Promise.all(
		[mount, migration, ...(repository ? [repository] : [])].map(async mover => {
			const holder = await mover.holder();
			return { kind: mover.kind, alive: holder !== undefined, pid: holder?.pid ?? null };
		}),
	);
}
