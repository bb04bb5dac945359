import type { MigrationMoverState } from '../../movers/config.ts';
import { asRouseError } from '../../model/errors.ts';
import { endWriter } from '../switch/seal.ts';
import { noteRefusedWrites } from './refused-writes.ts';
import { noteStalled } from './stalled.ts';
import { moversWanted } from '../files/state.ts';
import type { Recovery } from '../recovery/recovery.ts';
import type { StepContext } from '../recovery/step-context.ts';

/** A guest's read that waits for so long is worth a line in the log; it goes on waiting. */
const longWaitMs = 20_000;

/** Movers that should run, run; those that should not, do not. */
export async function keepMovers(context: StepContext): Promise<void> {
	await keepMount(context);
	await keepMigration(context);
	await noteStalled(context);
}

async function keepMount({ recovery, host }: StepContext): Promise<void> {
	const { seen } = recovery;
	const { mount, watch } = recovery.equipment;
	if (!moversWanted(recovery.state).mount) {
		seen.mount = undefined;
		// One that a dead supervisor was just starting; it reads only, and does no harm until here.
		if (recovery.state.chain !== 'mover' && (await mount.holder())) await mount.end();
		return;
	}
	seen.mount = await watch.mount.keep();
	const waited = (seen.mount?.oldestWaitMs ?? 0) > longWaitMs;
	if (waited && !seen.readsWaited) {
		const why = seen.mount?.failure ? `: ${seen.mount.failure.message}` : '';
		await recovery.incidents.add('read_waited', `a read of the guest has waited for ${longWaitMs / 1000} s${why}`);
	}
	if (seen.mount) seen.readsWaited = waited;
	await noteRefusedWrites(recovery, host.clock);
}

/** The migration mover runs unless it is sealed off, and copies what it should at the rate it should, or nothing. */
export async function keepMigration(context: StepContext): Promise<void> {
	const { recovery } = context;
	const { migration, watch } = recovery.equipment;
	if (!moversWanted(recovery.state).migration) {
		recovery.seen.migration = undefined;
		if (recovery.state.sealed && (await migration.holder())) await endWriter(context);
		return;
	}
	const state = await watch.migration.keep();
	recovery.seen.migration = state;
	if (state === undefined) return;
	try {
		if (!(await tellCopy(recovery, state))) return;
		recovery.seen.migration = await migration.control.state();
	} catch (error) {
		// It died between the question and the order: the next look starts it again and tells it then.
		recovery.seen.migration = undefined;
		if (asRouseError(error).code !== 'mover_unreachable') throw error;
	}
}

/** True when it had to be told something. */
async function tellCopy(
	{ state: { copy }, pace, equipment: { migration } }: Recovery,
	state: MigrationMoverState,
): Promise<boolean> {
	if (copy.paused) {
		if (state.copying) await migration.control.pause();
		return state.copying;
	}
	if (!copy.wanted || !mayCopy(state)) return false;
	const maxRateBytes = lowerRate(copy.maxRateBytes, pace.maxRateBytes);
	if (!state.copying) await migration.control.copy(maxRateBytes);
	else if (state.maxRateBytes !== maxRateBytes) await migration.control.rate(maxRateBytes);
	else return false;
	return true;
}

/** 0 is unlimited. The one that was asked for may be newer than the pace. */
function lowerRate(asked: number, pace: number): number {
	return asked === 0 || pace === 0 ? asked + pace : Math.min(asked, pace);
}

function mayCopy(state: MigrationMoverState): boolean {
	return state.failure === null && !state.disks.every(disk => disk.complete);
}
