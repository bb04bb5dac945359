import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import {
	afterSample,
	type LatencySample,
	type LatencyState,
	leastBytesPerSecond,
	leastCopies,
	newLatencyState,
} from '../../supervisor/pace/latency-control.ts';

const MiB = 1024 * 1024;
const limits = { stopNewMs: 20, throttleMs: 30 };
const copying = { copiedBytesPerSecond: 100 * MiB, copies: 2 };

/** Latencies one after the other, with copies that go as fast as they may. */
function played(series: readonly (number | null)[], { copies = 2, speed = 100 * MiB } = {}): LatencyState[] {
	const states: LatencyState[] = [];
	let state = newLatencyState;
	for (const ms of series) {
		const copiedBytesPerSecond = Math.min(speed, state.throttle?.bytesPerSecond ?? speed);
		state = afterSample(state, { ms, copiedBytesPerSecond, copies }, limits);
		states.push(state);
	}
	return states;
}

const stops = (states: readonly LatencyState[]) => states.map(({ stoppedNewAtMs }) => stoppedNewAtMs);
const rates = (states: readonly LatencyState[]) =>
	states.map(({ throttle }) => throttle && Math.round(throttle.bytesPerSecond / MiB));

suite('`afterSample`', () => {
	test('stops new copies at once, and lets them begin again after two samples that are well below', () => {
		assert.deepEqual(stops(played([5, 21, 27, 15, 15, 15])), [null, 21, 21, 21, null, null]);
	});

	test('lets one copy begin on a datastore that has been slow without any for ten minutes, and counts anew after it', () => {
		const still = played(
			Array.from({ length: 61 }, () => 25),
			{ copies: 0 },
		);
		assert.deepEqual(
			[59, 60].map(samples => leastCopies(still[samples - 1] ?? newLatencyState)),
			[0, 1],
		);
		const [last = newLatencyState] = still.slice(-1);
		const copied = afterSample(last, { ms: 25, ...copying, copies: 1 }, limits);
		assert.deepEqual([copied.stoppedNewAtMs, leastCopies(copied)], [25, 0]);
		assert.equal(
			leastCopies(
				played(
					Array.from({ length: 99 }, () => 5),
					{ copies: 0 },
				).at(-1) ?? last,
			),
			0,
		);
	});

	test('does not let go and stop in turn what swings about the limit', () => {
		assert.deepEqual(stops(played([21, 19, 21, 15, 17, 15, 19, 15, 15])), [21, 21, 21, 21, 21, 21, 21, 21, null]);
	});

	test('halves what copies do for each sample above the second limit, down to the least, and never further', () => {
		const series = played([40, 40, 40, 40, 40, 40, 40]);
		assert.deepEqual(rates(series), [50, 25, 13, 6, 4, 4, 4]);
		assert.equal(series.at(-1)?.throttle?.bytesPerSecond, 2 * leastBytesPerSecond);
	});

	test('halves what they really do, where that is less than they may', () => {
		const throttle = { bytesPerSecond: 80 * MiB, beforeBytesPerSecond: 100 * MiB, ms: 31 };
		const state = { ...newLatencyState, throttle };
		const after = afterSample(state, { ms: 35, copiedBytesPerSecond: 20 * MiB, copies: 1 }, limits);
		assert.equal(after.throttle?.bytesPerSecond, 10 * MiB);
	});

	test('raises in steps when it is well again, and lets go when the load is over', () => {
		assert.deepEqual(rates(played([40, 40, 28, 22, 10, 10, 10, 10, 10, 10, 10, 10])), [
			50,
			25,
			25,
			38,
			50,
			63,
			75,
			88,
			100,
			null,
			null,
			null,
		]);
	});

	test('a burst of load is answered in the sample that shows it, and is forgotten within two minutes', () => {
		const burst = [
			3.1, 2.8, 4.4, 33.9, 52.7, 47.2, 31.8, 24.5, 19.7, 21.3, 18.2, 22.9, 17.4, 12.6, 9.3, 6, 4.9, 3.7, 3.2, 2.9, 3,
			2.7, 2.8, 3.3, 2.6,
		];
		const series = played(burst);
		assert.deepEqual(
			series.map(({ stoppedNewAtMs }) => stoppedNewAtMs !== null),
			burst.map((_ms, at) => at >= 3 && at < 14),
		);
		assert.equal(rates(series)[3], 50);
		assert.equal(Math.min(...rates(series).map(rate => rate ?? 1000)), 6);
		assert.equal(series.at(-1)?.throttle, null);
	});

	test('a series recorded on a disk of 200 operations a second, with one copy and a guest: slowed twice, never stopped', () => {
		const recorded = [4.97, 19.53, 26.58, 27.15, 43.64, 14.48, 18.7, 29.11, 31.63, 14.02];
		const series = played(recorded, { copies: 1, speed: 11_100_000 });
		const bytes = series.map(({ throttle }) => throttle?.bytesPerSecond ?? null);
		assert.deepEqual(stops(series).slice(0, 4), [null, null, 26.58, 26.58]);
		assert.equal(stops(series).at(-1), 26.58, 'two samples in a row were never well below');
		assert.deepEqual(bytes.slice(0, 6), [null, null, null, null, 5_550_000, 6_937_500]);
		assert.deepEqual(bytes.slice(6), [8_325_000, 8_325_000, 4_162_500, 5_550_000]);
	});

	test('does not hold copies for good at the speed at which they had just begun, where latency stays between the limits', () => {
		const series = played([31, 20, 20, 20, 20], { copies: 1, speed: leastBytesPerSecond });
		assert.deepEqual(rates(series), [2, 2, 2, null, null]);
	});

	test('throttles nobody when nobody copies, and forgets it with the last copy', () => {
		const slow: LatencySample = { ms: 50, ...copying };
		const none = { ms: 50, copiedBytesPerSecond: 0, copies: 0 };
		assert.equal(afterSample(newLatencyState, none, limits).throttle, null);
		assert.equal(afterSample(afterSample(newLatencyState, slow, limits), none, limits).throttle, null);
	});

	test('what cannot be seen changes nothing for a minute, and then holds nobody back', () => {
		const series = played([50, ...Array.from({ length: 6 }, () => null)]);
		assert.ok(series.slice(0, 6).every(({ throttle, stoppedNewAtMs }) => throttle !== null && stoppedNewAtMs !== null));
		assert.deepEqual([series[6]?.throttle, series[6]?.stoppedNewAtMs], [null, null]);
	});

	test('whatever comes: the least is always there, in whole bytes, and calm sets all free', () => {
		const latency = fc.option(fc.double({ min: 0, max: 500, noNaN: true }), { nil: null });
		fc.assert(
			fc.property(fc.array(latency, { maxLength: 60 }), fc.integer({ min: 1, max: 8 }), (series, copies) => {
				const speed = 200 * MiB + 1 / 3;
				const states = played(series, { copies, speed });
				for (const { throttle } of states)
					assert.ok(throttle === null || throttle.bytesPerSecond >= copies * leastBytesPerSecond);
				for (const { throttle } of states) assert.ok(throttle === null || Number.isInteger(throttle.bytesPerSecond));
				const after = played([...series, ...Array.from({ length: 20 }, () => 1)], { copies, speed }).at(-1);
				assert.deepEqual([after?.throttle, after?.stoppedNewAtMs], [null, null]);
			}),
			{ numRuns: 60 },
		);
	});
});
