import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { conformance } from '../../hypervisors/conformance.ts';
import { makeQemuBench, type QemuBenchOptions } from '../equipment/qemu-bench.ts';
import {
	connectWithoutPause,
	forgetsWhetherTheGuestRan,
	leavesTheGuestPausedWhenAborted,
	marksTargetBeforeThePause,
	recreatesTheSnapshot,
	removesTheOverlayTooEarly,
} from '../equipment/wrong-hypervisors.ts';

/** The case of the suite that is there for the fault; another one may fail as well. */
async function failsIn(name: string, options: QemuBenchOptions, why: RegExp): Promise<void> {
	const cases = conformance(() => makeQemuBench(options), { places: ['switch.ready', 'switch.paused', 'mark.target'] });
	const one = cases.find(candidate => candidate.name === name);
	assert.ok(one, `no case is called "${name}"`);
	await assert.rejects(one.run(), why);
}

suite('the conformance suite fails a platform that', { concurrency: 2 }, () => {
	test('marks the target before the pause', () =>
		failsIn(
			'a machine that dies at mark.target starts again with every write, and is switched',
			{ wrap: marksTargetBeforeThePause },
			/the last write is lost|the target differs/,
		));

	test('makes a snapshot anew', () =>
		failsIn(
			'a snapshot that is there is never touched again',
			{ wrap: recreatesTheSnapshot },
			/the last write is lost/,
		));

	test('finalizes the switch without a pause', () =>
		failsIn(
			'a switch keeps the base and every write, and needs nothing of the movers afterwards',
			{ options: { connect: connectWithoutPause } },
			// QEMU 7.2 holds a write up for ever that a job in `pending` meets on the guest's own device.
			/human-monitor-command.*no answer|the last write is lost|the target differs/,
		));

	test('forgets whether the guest ran', () =>
		failsIn(
			'a switch whose supervisor dies at switch.paused is carried on',
			{ wrap: forgetsWhetherTheGuestRan },
			/the guest does not go on/,
		));

	test('leaves the guest paused when the switch is aborted', () =>
		failsIn(
			'a switch that is aborted at switch.paused leaves the guest running, and is carried on',
			{ wrap: leavesTheGuestPausedWhenAborted },
			/the guest does not go on/,
		));

	test('removes the overlay before the mark', () =>
		failsIn(
			'a machine that dies at switch.ready starts again with every write, and is switched',
			{ wrap: removesTheOverlayTooEarly },
			/the protective snapshot is not there/,
		));
});
