/** The switch as QEMU does it: the overlay is committed into the target while the guest runs, with a short pause. */
import { asRouseError, RouseError } from '../../model/errors.ts';
import { onceAnswered } from './base.ts';
import { commitOffline, dropOverlays, syncTargets, writing } from './commit.ts';
import { Instance } from './instance.ts';
import { expectOverlays } from './overlays.ts';
import { cutPower } from './power.ts';
import { reached } from './reached.ts';
import type { RunState } from './run-state.ts';
import { continueGuest, pauseGuest } from './switch-pause.ts';
import type { SwitchCall } from './parts.ts';

/** Every place of a switch of a machine that runs, in order; offline some are left out. */
export const processSwitchPlaces = [
	'switch.reopened',
	'switch.marked-local',
	'switch.mover-stopped',
	'switch.committing',
	'switch.ready',
	'switch.paused',
	'switch.pending',
	'switch.synced',
	'switch.marked-target',
	'switch.finalized',
	'switch.continued',
	'switch.overlay-removed',
] as const;

/** With the machine running its own state is the truth; with it off the mark is. */
export async function switchByCommit(call: SwitchCall): Promise<{ pauseMs: number }> {
	const { running } = call.parts;
	const run = running.read();
	if (run === undefined) return offline(call);
	const instance = new Instance(call.parts, run);
	if (call.calls.chain === 'mover') await leaveMover(call, instance);
	await call.calls.stopMountMover();
	await reached(call, 'switch.mover-stopped');
	const pauseMs = await commitOnline(call, instance);
	await dropOverlays(call.parts);
	await reached(call, 'switch.overlay-removed');
	// Nothing is left for which a machine would have to stay whose guest has powered itself off.
	if (running.read()?.guest === 'off') cutPower(call.parts);
	return { pauseMs };
}

async function offline(call: SwitchCall): Promise<{ pauseMs: number }> {
	const { parts, calls, options } = call;
	if (calls.chain === 'mover') {
		await calls.mark('local');
		await reached(call, 'switch.marked-local');
	}
	await calls.stopMountMover();
	await reached(call, 'switch.mover-stopped');
	if (calls.chain !== 'target') {
		options.signal?.throwIfAborted();
		await expectOverlays(parts);
		await reached(call, 'switch.committing');
		await commitOffline(parts);
		await reached(call, 'switch.synced');
		await calls.mark('target');
		await reached(call, 'switch.marked-target');
	}
	await dropOverlays(parts);
	await reached(call, 'switch.overlay-removed');
	return { pauseMs: 0 };
}

/** The overlays read through to the targets, all at once. */
async function leaveMover(call: SwitchCall, instance: Instance): Promise<void> {
	const { parts, gate, calls, options } = call;
	// With all blocks restored no read waits for long: one that began before is answered within this time, or failed.
	await gate.clear({ ...options, patienceMs: 2_000 });
	const reopen = () =>
		instance.alone((run, save) => save({ ...run, disks: run.disks.map(disk => ({ ...disk, below: 'target' })) }));
	await onceAnswered(parts, gate, reopen, { ...options, patienceMs: 5_000 });
	await reached(call, 'switch.reopened');
	await calls.mark('local');
	await reached(call, 'switch.marked-local');
}

/** Returns for how many milliseconds the guest stood still; 0 when it did not run. */
async function commitOnline(call: SwitchCall, instance: Instance): Promise<number> {
	const { parts, options } = call;
	const { clock } = parts.settings;
	let pausedAt = clock.now();
	if (instance.look().disks.some(({ alone }) => !alone)) {
		await begin(call, instance);
		options.signal?.throwIfAborted();
		pausedAt = clock.now();
		await pauseGuest(call, instance);
		await reached(call, 'switch.paused');
		await pivot(call, instance);
	}
	await reached(call, 'switch.finalized');
	const continued = continueGuest(call, instance);
	const pauseMs = continued ? clock.now() - pausedAt : 0;
	await reached(call, 'switch.continued');
	return pauseMs;
}

/** All but what the guest writes from now on is copied. */
async function begin(call: SwitchCall, instance: Instance): Promise<void> {
	instance.alone((run, save) => save(withCommits(run, ({ commit }) => commit ?? { copiedBytes: 0, halfway: false })));
	await reached(call, 'switch.committing');
	await orGoOn(call, instance, async () => copyAll(call, instance));
	await reached(call, 'switch.ready');
}

async function pivot(call: SwitchCall, instance: Instance): Promise<void> {
	const { parts, calls } = call;
	await orGoOn(call, instance, async () => copyTheRest(call, instance));
	await reached(call, 'switch.pending');
	await orGoOn(call, instance, () => syncTargets(parts));
	await reached(call, 'switch.synced');
	await orGoOn(call, instance, async () => mustStandStill(instance.look()));
	// Overlay and target are equal and nobody writes: either mark would be true. When this throws nobody knows which one
	// is durable, so the guest stays paused until a later attempt has made it `target`.
	if (calls.chain !== 'target') await calls.mark('target');
	await reached(call, 'switch.marked-target');
	instance.alone((run, save) => {
		mustStandStill(run);
		save({ ...run, disks: run.disks.map(disk => ({ ...disk, alone: true, commit: null })) });
	});
}

/** Up to where the overlays reach at one moment, while the guest goes on writing. */
function copyAll({ parts }: SwitchCall, instance: Instance): void {
	const { faults } = parts.settings;
	const { disks } = instance.look();
	for (const [index, stack] of parts.stacks.entries()) {
		faults.expectWritable('target', parts.definition);
		const copiedBytes = writing(stack, () => stack.commit(disks[index]?.commit?.copiedBytes ?? 0));
		instance.alone((run, save) =>
			save(withCommits(run, ({ commit }, at) => (at === index && commit ? { ...commit, copiedBytes } : commit))),
		);
	}
}

/** The guest stands still: overlay and target are equal afterwards, also in what was not flushed. */
function copyTheRest({ parts }: SwitchCall, instance: Instance): void {
	parts.settings.faults.expectWritable('target', parts.definition);
	instance.alone((run, save) => {
		mustStandStill(run);
		const copied = parts.stacks.map((stack, index) => {
			const copiedBytes = writing(stack, () => stack.commit(run.disks[index]?.commit?.copiedBytes ?? 0));
			writing(stack, () => stack.commitUnflushed());
			return copiedBytes;
		});
		save(withCommits(run, (_disk, at) => ({ copiedBytes: copied[at] ?? 0, halfway: true })));
	});
}

function mustStandStill({ guest }: RunState): void {
	if (guest === 'running')
		throw new RouseError('hypervisor_failed', 'somebody let the guest go on in the middle of the switch');
}

function withCommits(
	run: RunState,
	commitOf: (disk: RunState['disks'][number], index: number) => RunState['disks'][number]['commit'],
): RunState {
	return { ...run, disks: run.disks.map((disk, index) => ({ ...disk, commit: commitOf(disk, index) })) };
}

/**
 * When `act` fails the commit is forgotten and the guest stays on its overlay over the target. One that this attempt or an
 * earlier one has paused goes on, but not with the mark at `target`: what it wrote to the overlay then would be lost.
 */
async function orGoOn(call: SwitchCall, instance: Instance, act: () => Promise<void>): Promise<void> {
	try {
		await act();
	} catch (error) {
		// Of a machine that is gone, or does not answer, nobody knows what it has done: the next attempt looks.
		if (['hypervisor_stuck', 'hypervisor_failed'].includes(asRouseError(error).code)) throw error;
		instance.alone((run, save) => save(withCommits(run, () => null)));
		if (call.calls.chain !== 'target') continueGuest(call, instance);
		throw error;
	}
}
