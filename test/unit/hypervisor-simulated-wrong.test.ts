import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { conformance } from '../../hypervisors/conformance.ts';
import { makeSimulatedBench, type SimulatedBenchOptions } from '../equipment/simulated-bench.ts';
import {
	forgetsTargetsInTheSwitch,
	forgetsToMerge,
	forgetsWhetherTheGuestRan,
	letsTheGuestGoOnAnyway,
	losesIdentityAfterReboot,
	marksTargetBeforeThePause,
	recreatesTheSnapshot,
	removesTheOverlayTooEarly,
	writesAtTheWrongOffset,
} from '../equipment/wrong-simulated.ts';

/** The case of the suite that is there for the fault; another one may fail as well. */
async function failsIn(name: string, options: SimulatedBenchOptions, why: RegExp): Promise<void> {
	const places = ['switch.ready', 'switch.paused', 'switch.saved', 'mark.target'];
	const one = conformance(() => makeSimulatedBench(options), { places }).find(candidate => candidate.name === name);
	assert.ok(one, `no case is called "${name}"`);
	await assert.rejects(one.run(), why);
}

suite('the conformance suite fails a simulated platform that', () => {
	test('marks the target before the pause', () =>
		failsIn(
			'a machine that dies at mark.target starts again with every write, and is switched',
			{ wrap: marksTargetBeforeThePause },
			/the last write is lost|disk\d differs/,
		));

	for (const like of ['process', 'service'] as const) {
		test(`makes a snapshot anew, like a ${like}`, () =>
			failsIn(
				'a snapshot that is there is never touched again',
				{ like, wrap: recreatesTheSnapshot },
				/the last write is lost/,
			));

		const paused = like === 'process' ? 'switch.paused' : 'switch.saved';
		test(`forgets whether the guest ran, like a ${like}`, () =>
			failsIn(
				`a switch whose supervisor dies at ${paused} is carried on`,
				{ like, wrap: forgetsWhetherTheGuestRan },
				/the guest does not go on/,
			));

		const before = like === 'process' ? 'switch.ready' : 'switch.saved';
		test(`removes the overlay before the mark, like a ${like}`, () =>
			failsIn(
				`a machine that dies at ${before} starts again with every write, and is switched`,
				{ like, wrap: removesTheOverlayTooEarly },
				/the protective snapshot is not there/,
			));
	}

	test('lets the guest go on while nobody knows the mark', () =>
		failsIn(
			'a guest stands still as long as nobody knows which mark is durable',
			{ wrap: letsTheGuestGoOnAnyway },
			/the guest runs/,
		));

	test('names its targets only until it stands on them', () =>
		failsIn(
			'`openTargets` names the same targets in the switch, and touches nothing',
			{ like: 'service', wrap: forgetsTargetsInTheSwitch },
			/the targets are in use/,
		));

	test('loses the identity of a target when the host is started anew', () =>
		failsIn(
			'`openTargets` names the same targets after a boot of the host',
			{ like: 'service', wrap: losesIdentityAfterReboot },
			/Expected values to be strictly deep-equal/,
		));

	test('writes at the wrong offset of a target', () =>
		failsIn(
			'a switch keeps the base and every write, and needs nothing of the movers afterwards',
			{ like: 'service', wrap: writesAtTheWrongOffset },
			/header|JSON|disk\d differs/,
		));

	test('forgets to merge what it kept after the mark', () =>
		failsIn(
			'a machine that dies at mark.target starts again with every write, and is switched',
			{ like: 'service', wrap: forgetsToMerge },
			/the last write is lost|disk\d differs/,
		));
});
