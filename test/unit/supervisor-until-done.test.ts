import assert from 'node:assert/strict';
import { test } from 'node:test';
import { untilDone } from '../../supervisor/recovery/until-done.ts';

test('`untilDone` waits ever longer, five minutes at most, tells of each failure, and ends with what is done or aborted', async () => {
	const waits: number[] = [];
	const told: unknown[] = [];
	const ending = new AbortController();
	const delay = async (ms: number) => {
		waits.push(ms / 1000);
	};
	const options = {
		failed: (error: unknown) => told.push(error),
		clock: { now: () => 0, date: () => new Date(0), delay },
		signal: ending.signal,
	};
	let left = 7;
	const work = async () => {
		left -= 1;
		if (left > 0) throw left;
	};
	await untilDone(work, options);
	assert.deepEqual(waits, [10, 20, 40, 80, 160, 300]);
	assert.deepEqual(told, [6, 5, 4, 3, 2, 1]);

	left = 1_000;
	const last = async () => {
		ending.abort();
		await work();
	};
	await untilDone(last, options);
	assert.equal(left, 999);
	assert.equal(told.length, 6);
});
