import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RepeatedFailures } from '../../system/repeated-failures.ts';

test('`RepeatedFailures.failed` writes a reason once, and then how often it came', () => {
	const failures = new RepeatedFailures();
	const written: unknown[] = [];
	const fail = (what: string, message: string) =>
		failures.failed(what, new Error(message), ({ times }) => written.push([what, message, times]));
	for (let time = 1; time <= 5_000; time++) fail('r1', 'full');
	fail('r2', 'full');
	fail('r1', 'other');
	fail('r1', 'full');
	failures.over('r1');
	fail('r1', 'full');
	assert.deepEqual(written, [
		...[1, 10, 100, 1_000].map(times => ['r1', 'full', times]),
		['r2', 'full', 1],
		['r1', 'other', 1],
		['r1', 'full', 1],
		['r1', 'full', 1],
	]);
});
