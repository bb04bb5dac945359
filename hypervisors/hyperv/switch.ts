/**
 * The switch: the guest is saved, the appliance lets the targets go, its overlays get them as their parents, and it is
 * resumed. A differencing disk is reparented for certain only while nobody has it open, and so the guest stands still for as
 * long as its memory takes to be written and read. What it has written is in the overlays throughout.
 */
import { asRouseError, RouseError } from '../../model/errors.ts';
import { formatBytes } from '../../model/format-bytes.ts';
import { presentBase, withdrawBase } from './base.ts';
import { expectStand, refuseCheckpoints, runsOnTargets } from './chain.ts';
import { type Found, lookSettled } from './look.ts';
import { keepOnTargets, putOverlay, putOverlays } from './overlays.ts';
import type { Call, SwitchCall } from './parts.ts';
import { disksOn, start } from './power.ts';
import { records } from './record.ts';
import { isHeldBySwitch } from './saved.ts';
import { settleIfPossible } from './settle.ts';
import { attachTargets, releaseTargets, returnTargets } from './targets.ts';
import { whileServed } from './while-served.ts';

/**
 * Every place of a switch of a machine that runs, in order, where its overlays are children; of one that is off `switch.merged`
 * follows the marks. By checkpoint `switch.merging` follows the guest's going on.
 */
export const switchPlaces = [
	'switch.saved',
	'switch.released',
	'switch.reparented-one',
	'switch.reparented',
	'switch.marked-local',
	'switch.marked-target',
	'switch.resumed',
	'switch.withdrawn',
	'switch.mover-stopped',
] as const;

export async function switchToTarget(call: SwitchCall): Promise<{ pauseMs: number }> {
	const { parts, calls, options } = call;
	const record = await records.of(parts.definition, parts.paths);
	const found = await lookSettled(parts, options);
	const begun = performance.now();
	// One that is off, or that somebody else has saved, stays so.
	const saved = found.stage === 'saved' && !(await isHeldBySwitch(parts, record, found, options));
	const stands = found.stage === 'off' || saved;
	let pauseMs = 0;
	if (stands) await standing(call, found);
	else {
		if (await inPause(call, found)) pauseMs = performance.now() - begun;
		if (parts.hardware.overlay === 'checkpoint') await mergeLive(call);
	}
	// In this order: Windows writes back what it has of the volume's metadata, and waits until that is answered.
	await withdrawBase(parts, await records.of(parts.definition, parts.paths), options);
	await calls.reached('switch.withdrawn');
	await calls.stopMountMover();
	await calls.reached('switch.mover-stopped');
	return { pauseMs };
}

/** Nothing of it runs, and nothing is started. */
async function standing(call: SwitchCall, found: Found): Promise<void> {
	const { parts, calls, options } = call;
	const { definition, paths } = parts;
	await records.change(definition, paths, { inPause: false });
	if (calls.chain !== 'target') {
		refuseCheckpoints(parts, found);
		await ontoTargets(call, act => act());
	} else await keepOnTargets(parts, options);
	await settleIfPossible(parts, found, options);
	await calls.reached('switch.merged');
}

/** True when the guest goes on afterwards. */
async function inPause(call: SwitchCall, found: Found): Promise<boolean> {
	const { parts, calls } = call;
	const { definition, paths } = parts;
	const { inPause: begun } = await records.of(definition, paths);
	if (calls.chain === 'target' && !begun) return false;
	if (found.stage !== 'saved') {
		if (calls.chain !== 'target') await save(call, found);
		await calls.reached('switch.saved');
	}
	if (calls.chain !== 'target') await ontoTargets(call, act => orGoOn(call, act));
	else if (found.stage === 'saved') await keepOnTargets(parts, {});
	const resumed = await goOn(call, 'target');
	await calls.reached('switch.resumed');
	return resumed;
}

/** Also of an attempt that ended before. */
async function mergeLive({ parts, calls, options }: SwitchCall): Promise<void> {
	await settleIfPossible(parts, await lookSettled(parts, options), options);
	await calls.reached('switch.merging');
}

async function save(call: SwitchCall, found: Found): Promise<void> {
	const { parts, calls, options } = call;
	const { settings, definition, paths } = parts;
	options.signal?.throwIfAborted();
	refuseCheckpoints(parts, found);
	await roomForMemory(call);
	// What forbids to take one away, a checkpoint of the appliance, is told while the guest runs. What that has is not attached.
	if (!(await runsOnTargets(parts, options))) await attachTargets(parts, options);
	// One that stands still since the volume is away goes on from the targets.
	await calls.rememberResume(found.stage === 'running' || found.stage === 'critical');
	// Somebody else may have started it in this boot.
	const { bootId } = await settings.driver.ask('hello', {}, options);
	await records.change(definition, paths, { inPause: true, startedInBoot: bootId });
	await orGoOn(call, () => toFile(call));
}

/** Nothing is failed for it: all blocks are restored, and an error would be the guest's. */
async function toFile(call: SwitchCall): Promise<void> {
	const { settings, definition } = call.parts;
	const { recoveryId } = definition;
	const order = async () => void (await settings.driver.ask('power', { recoveryId, action: 'save' }));
	await call.gate.pass(() => (call.calls.chain === 'mover' ? whileServed(call, order) : order()), {});
}

/** Throws `space_short` where the guest's memory does not fit on the datastore. */
async function roomForMemory({ parts, options }: SwitchCall): Promise<void> {
	const { settings, definition, hardware } = parts;
	const { datastore } = settings;
	const { freeBytes } = await settings.driver.ask('report', { datastore }, options);
	const neededBytes = hardware.memoryMiB * 2 ** 20;
	if (freeBytes >= neededBytes) return;
	throw new RouseError(
		'space_short',
		`${datastore}: ${formatBytes(neededBytes)} needed for the memory of ${definition.machineName}, ${formatBytes(freeBytes)} free`,
		{ hint: `make room in ${datastore}`, details: { neededBytes, freeBytes } },
	);
}

type Attempt = (act: () => Promise<void>) => Promise<void>;

/** Up to the mark `target`, which is made while nothing runs. A signal counts no more: the way on is the shortest. */
async function ontoTargets({ parts, calls }: SwitchCall, attempt: Attempt): Promise<void> {
	const { definition } = parts;
	await attempt(() => releaseTargets(parts));
	await calls.reached('switch.released');
	// What is linked to a file in that place may be linked to the one that was there before.
	const anew = parts.hardware.overlay === 'checkpoint';
	for (const [at, disk] of definition.disks.entries()) {
		await attempt(() => putOverlay(parts, disk, 'target', { anew }));
		if (at === 0) await calls.reached('switch.reparented-one');
	}
	await attempt(() => expectStand(parts, ['target'], {}));
	await calls.reached('switch.reparented');
	if (calls.chain === 'mover') {
		await calls.mark('local');
		await calls.reached('switch.marked-local');
	}
	await calls.mark('target');
	await calls.reached('switch.marked-target');
}

/** When `act` fails the guest goes on where the mark says that it stands, and the failure is thrown. */
async function orGoOn(call: SwitchCall, act: () => Promise<void>): Promise<void> {
	try {
		await act();
	} catch (thrown) {
		try {
			await goOn(call, call.calls.chain === 'mover' ? 'base' : 'target');
		} catch (second) {
			const first = asRouseError(thrown);
			throw new RouseError(
				first.code,
				`${first.message}; and the guest stands still, since it could not be let go on: ${asRouseError(second).message}`,
				{ cause: thrown, hint: first.hint, details: first.details },
			);
		}
		throw thrown;
	}
}

/**
 * Lets a guest go on that the switch has saved and that ran before. True when it does. A machine that is off has lost its power
 * in the pause: that is no pause any more, and it is not for us to start it. One that runs after its save was asked for may be
 * saved yet, when the answer was lost: the next attempt must know that it was us.
 */
async function goOn(call: SwitchCall, on: 'base' | 'target'): Promise<boolean> {
	const { parts, calls } = call;
	const { definition, paths } = parts;
	const found = on === 'base' ? await savedHalfWay(call) : await lookSettled(parts, {});
	const goesOn = found.stage === 'saved' && calls.resume === true;
	const mayBeSaved = !['saved', 'off'].includes(found.stage) && calls.resume === true && calls.chain !== 'target';
	if (on === 'base') await backOntoBase({ ...call, options: {} }, found);
	if (goesOn) await start({ ...call, options: {} }, await disksOn(parts, on));
	if (!mayBeSaved) await records.change(definition, paths, { inPause: false });
	return goesOn;
}

/**
 * A guest that somebody has started in the pause, with an overlay on its target already, keeps that target from the appliance,
 * without which the mount mover does not answer what the guest reads of its other disks: it is saved again, to be put back.
 */
async function savedHalfWay(call: SwitchCall): Promise<Found> {
	const { parts } = call;
	const found = await lookSettled(parts, {});
	if (['off', 'saved'].includes(found.stage) || !(await runsOnTargets(parts, {}))) return found;
	// Whether it stood still when it was saved first counts no more.
	if (found.stage === 'running' || found.stage === 'critical') await call.calls.rememberResume(true);
	await toFile(call);
	return lookSettled(parts, {});
}

/**
 * In this order: the mount mover starts on nothing but targets that the appliance has, and Windows reads the volume where
 * overlays are put onto it. One that somebody has started meanwhile reads it as well.
 */
async function backOntoBase(call: Call, { stage }: Found): Promise<void> {
	if (stage === 'off') return;
	await returnTargets(call);
	if (stage !== 'saved') return;
	await presentBase(call);
	await putOverlays(call, 'base');
}
