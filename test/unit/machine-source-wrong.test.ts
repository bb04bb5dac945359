import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { sourceConformance } from '../equipment/machine-sources/conformance.ts';
import { makeSimulatedMachineBench, type SimulatedMachineBenchOptions } from '../equipment/simulated-machine-bench.ts';
import {
	abandonsNothing,
	beginsAnew,
	beginsWhatWasNotPlanned,
	believesAnyCheckpoint,
	callsTooMuchUnchanged,
	dropsNothing,
	dropsWhatOthersKeep,
	readsTheDiskItself,
	stopsRecordingWhileItReads,
	takesAnyMachine,
} from '../equipment/wrong-machine-sources.ts';

/** The case of the suite that is there for the fault; others may fail as well. */
async function failsIn(name: string, options: Partial<SimulatedMachineBenchOptions>, why: RegExp): Promise<void> {
	const suiteOf = sourceConformance(() => makeSimulatedMachineBench({ flavour: 'snapshots', ...options }));
	const one = suiteOf.find(candidate => candidate.name === name);
	assert.ok(one, `no case is called "${name}"`);
	await assert.rejects(one.run(), why);
}

suite('the conformance suite fails a machine source that', () => {
	test('records no writes while a moment is read', () =>
		failsIn(
			'a moment that is abandoned leaves the next increment from the checkpoint before as right as ever',
			{ flavour: 'bitmaps', wrap: stopsRecordingWhileItReads() },
			/does not read as it was/,
		));
	test('begins anew what was begun', () =>
		failsIn('a moment is found again by its tag, and nothing is begun beside it', { wrap: beginsAnew }, /deep-equal/));
	test('leaves what it should abandon', () =>
		failsIn('to abandon may come first, and again', { wrap: abandonsNothing }, /deep-equal/));
	test('drops no checkpoint', () =>
		failsIn('an increment on an increment is right', { wrap: dropsNothing }, /deep-equal/));
	test("drops another owner's checkpoint", () =>
		failsIn(
			"what another repository keeps is neither dropped nor abandoned by one's own",
			{ wrap: dropsWhatOthersKeep },
			/2 !== |1 !== |strictly equal/,
		));
	test('takes another machine for the one that was meant', () =>
		failsIn(
			'another machine at the address is identity_conflict, and nothing of the first one is touched',
			{ wrap: takesAnyMachine },
			/Missing expected rejection/,
		));
	test('reads what the guest has written since', () =>
		failsIn(
			'a moment reads as its disks were when it was begun, whatever the guest writes then',
			{ wrap: readsTheDiskItself },
			/does not read as it was/,
		));
	test('calls unchanged what was written', () =>
		failsIn(
			'an increment reads what changed since its checkpoint, and no more than its surroundings',
			{ wrap: callsTooMuchUnchanged },
			/does not read as it was/,
		));
	test('calls unchanged what was written, and has increments made of it', () =>
		failsIn(
			'increments of a random history are what a full import of the same moments is (seed 1)',
			{ wrap: callsTooMuchUnchanged },
			/round 1/,
		));
	test('plans by a checkpoint that it does not understand', () =>
		failsIn(
			'a checkpoint that is gone, or not understood, means that everything is read, and why',
			{ wrap: believesAnyCheckpoint },
			/'changes'/,
		));
	test('begins a moment of other disks than were planned', () =>
		failsIn(
			'disks that are not those of the plan are source_changed, and nothing is begun',
			{ wrap: beginsWhatWasNotPlanned },
			/Missing expected rejection/,
		));
});
