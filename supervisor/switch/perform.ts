import { RouseError } from '../../model/errors.ts';
import { formatBytes } from '../../model/format-bytes.ts';
import { observe } from '../machine/observe.ts';
import { endWriter, seal } from './seal.ts';
import { start } from '../machine/apply-power.ts';
import { goOn } from '../machine/go-on.ts';
import { change } from '../files/state.ts';
import type { StepContext } from '../recovery/step-context.ts';
import { switchCalls } from './calls.ts';

/**
 * Seal, switch, commit. Carries on from wherever an earlier attempt ended; when it throws, the machine may stand still
 * between two chains, and the reconciling comes back to it.
 */
export async function performSwitch(context: StepContext): Promise<void> {
	const { recovery, host, signal } = context;
	// A mark that could not be written may be on disk all the same: it is put right before anything stands on it.
	await recovery.change();
	if (recovery.state.switch.stage === 'done') return;
	if (recovery.state.switch.stage === 'none') await begin(context);
	else await endWriter(context);
	const { machine } = recovery.equipment;
	const { pauseMs } = await machine.switchToTarget(switchCalls(context), { signal });
	// Before the mark: a supervisor that dies here comes back to this place, and not to a machine it takes for finished.
	await putRight(context);
	await goOn(context);
	await recovery.change(change.switchDone(pauseMs));
	await host.reached('switch-done');
}

async function begin(context: StepContext): Promise<void> {
	const { recovery, host } = context;
	// Before anything is stopped: a switch that comes too early changes nothing. Under a seal that an earlier attempt left
	// nothing is copied any more: that one is taken back below when something is missing.
	if (!recovery.state.sealed) await mustBeRestored(context);
	await seal(context);
	try {
		await mustBeRestored(context);
	} catch (error) {
		// Nothing stands on the target yet and no writer is left: the copy may go on.
		await recovery.change(change.sealed(false));
		throw error;
	}
	await recovery.change(change.switchBegun());
	await host.reached('switch-begun');
}

/** From the maps on disk, read from their beginning: not from what a mover says, and not from what was read before. */
async function mustBeRestored({ recovery }: StepContext): Promise<void> {
	const { disks, complete } = await recovery.equipment.progress.afresh();
	if (complete) return;
	const restored = disks.reduce((sum, disk) => sum + disk.restoredBytes, 0);
	const all = disks.reduce((sum, disk) => sum + disk.sizeBytes, 0);
	throw new RouseError(
		'phase_wrong',
		`recovery ${recovery.name}: ${formatBytes(all - restored)} of ${formatBytes(all)} are not restored yet, the switch needs all`,
		{ hint: 'let it copy the rest', details: { restoredBytes: restored, sizeBytes: all } },
	);
}

/** A guest that has powered itself off stays off; a machine that died on the way goes on as it is meant to. */
async function putRight(context: StepContext): Promise<void> {
	const { recovery, host } = context;
	const { power: found, byGuest } = await observe(context);
	const { power, restart, abandoned } = recovery.state;
	if (power.settled && found !== 'off') return;
	if (power.settled && byGuest) return recovery.change(change.powerFound('off'));
	const bootId = await host.platform.bootId();
	if (power.desired === 'off' || power.bootId !== bootId || restart === 'never' || abandoned) return;
	if (found === 'off' && !byGuest)
		await recovery.incidents.add('machine_died', 'the machine had died during the switch and was started again');
	// The wish first: a supervisor that dies before the guest runs must not leave a machine that looks powered off.
	await recovery.change(change.powerWanted('on', bootId));
	await start(context);
	await recovery.change(change.powerSettled());
	await observe(context);
}
