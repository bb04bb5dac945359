/**
 * The switch as Hyper-V does it: the guest is saved, its overlays get the targets as their parents, and it is resumed. The
 * platform merges the overlays by itself, when the machine is next off.
 */
import { asRouseError } from '../../model/errors.ts';
import { onceAnswered } from './base.ts';
import { Instance } from './instance.ts';
import { expectOverlays } from './overlays.ts';
import type { MachineParts, SwitchCall } from './parts.ts';
import { reached } from './reached.ts';
import { records } from './record.ts';
import { settle } from './settle.ts';
import { continueGuest, pauseGuest } from './switch-pause.ts';

/** Every place of a switch of a machine that runs, in order. Of one that is off the last is `switch.merged`. */
export const serviceSwitchPlaces = [
	'switch.saved',
	'switch.reparented-one',
	'switch.reparented',
	'switch.marked-local',
	'switch.mover-stopped',
	'switch.released',
	'switch.marked-target',
	'switch.resumed',
] as const;

export async function switchByReparenting(call: SwitchCall): Promise<{ pauseMs: number }> {
	const { parts, calls } = call;
	const run = parts.running.read();
	if (run === undefined || run.guest === 'off') return offline(call);
	const { clock } = parts.settings;
	const instance = new Instance(parts, run);
	const savedAt = clock.now();
	if (calls.chain !== 'target') {
		await orGoOn(call, instance, () => save(call, instance));
		await reached(call, 'switch.saved');
		await leaveMover(call, instance);
	}
	const resumed = continueGuest(call, instance);
	const pauseMs = resumed ? clock.now() - savedAt : 0;
	await reached(call, 'switch.resumed');
	return { pauseMs };
}

async function offline(call: SwitchCall): Promise<{ pauseMs: number }> {
	if (call.calls.chain !== 'target') await leaveMover(call, undefined);
	await settle(call.parts);
	await reached(call, 'switch.merged');
	return { pauseMs: 0 };
}

/** A guest is saved only when its requests have ended. */
async function save(call: SwitchCall, instance: Instance): Promise<void> {
	const { parts, gate, options } = call;
	await gate.clear({ ...options, patienceMs: 2_000 });
	await onceAnswered(parts, gate, () => pauseGuest(call, instance), { ...options, patienceMs: 5_000 });
}

/** Up to the mark: from then on nothing of anybody else's is needed. */
async function leaveMover(call: SwitchCall, instance: Instance | undefined): Promise<void> {
	const { parts, calls } = call;
	await orGoOn(call, instance, () => expectOverlays(parts));
	await reparent(call, instance);
	if (calls.chain === 'mover') {
		await calls.mark('local');
		await reached(call, 'switch.marked-local');
	}
	await orGoOn(call, instance, () => calls.stopMountMover());
	await reached(call, 'switch.mover-stopped');
	await orGoOn(call, instance, () => parts.settings.manner.targets.release(parts));
	await reached(call, 'switch.released');
	await calls.mark('target');
	await reached(call, 'switch.marked-target');
}

/** One disk after the other, each durably: a start on any chain puts right what is half done. */
async function reparent(call: SwitchCall, instance: Instance | undefined): Promise<void> {
	for (const index of call.parts.definition.disks.keys()) {
		await orGoOn(call, instance, () => reparentOne(call.parts, index));
		instance?.alone((run, keep) =>
			keep({ ...run, disks: run.disks.map((disk, at) => (at === index ? { ...disk, below: 'target' } : disk)) }),
		);
		if (index === 0) await reached(call, 'switch.reparented-one');
	}
	await reached(call, 'switch.reparented');
}

async function reparentOne({ settings, definition, paths }: MachineParts, index: number): Promise<void> {
	const { parents } = await records.of(definition, paths);
	settings.faults.expectWritable('overlay', definition);
	await records.change(definition, paths, { parents: parents.map((old, at) => (at === index ? 'target' : old)) });
}

/** When `act` fails a guest that was saved goes on: its overlays read the same from the mover and from the targets. */
async function orGoOn(call: SwitchCall, instance: Instance | undefined, act: () => Promise<void>): Promise<void> {
	try {
		await act();
	} catch (error) {
		// Of a machine that is gone nobody knows what it has done: the next attempt looks.
		if (instance && asRouseError(error).code !== 'hypervisor_failed') continueGuest(call, instance);
		throw error;
	}
}
