import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { TokenBucket } from '../../movers/migration-mover/token-bucket.ts';
import type { Clock } from '../../system/clock.ts';
import { TestClock } from '../equipment/test-clock.ts';

const never = new AbortController().signal;

test('`TokenBucket.take` lets exactly the rate pass over time, whatever the sizes', async () => {
	await fc.assert(
		fc.asyncProperty(
			fc.integer({ min: 1024, max: 100_000_000 }),
			fc.array(fc.integer({ min: 1, max: 1_000_000 }), { minLength: 20, maxLength: 60 }),
			async (rate, sizes) => {
				const clock = new TestClock();
				const bucket = new TokenBucket(rate, clock);
				const start = clock.ms;
				for (const size of sizes) await bucket.take(size, never);
				const last = sizes.at(-1) ?? 0;
				const passed = sizes.reduce((sum, size) => sum + size, 0) - last;
				const seconds = (clock.ms - start) / 1000;
				// Each wait is rounded up to a millisecond; nothing passes too early.
				assert.ok(seconds * rate >= passed * 0.999, `${passed} bytes in ${seconds} s at ${rate}`);
				assert.ok(seconds <= passed / rate + sizes.length * 0.0011, `${seconds} s for ${passed} bytes at ${rate}`);
			},
		),
	);
});

test('`TokenBucket.take` at a low rate lets chunks pass one by one, not in bursts', async () => {
	const clock = new TestClock();
	const bucket = new TokenBucket(2 * 1024 * 1024, clock);
	for (let chunk = 0; chunk < 50; chunk += 1) await bucket.take(128 * 1024, never);
	assert.ok(Math.max(...clock.delays) <= 63, `${Math.max(...clock.delays)} ms`);
});

test('`TokenBucket.take` after a time without use lets a fifth of a second more pass than before, whatever that time', async () => {
	const clock = new TestClock();
	const bucket = new TokenBucket(1_000_000, clock);
	clock.ms += 60_000;
	const start = clock.ms;
	for (let piece = 0; piece < 11; piece += 1) await bucket.take(100_000, never);
	assert.ok(clock.ms - start >= 750, `${clock.ms - start} ms`);
});

test('`TokenBucket.take` on a machine whose timers are late loses nothing of the rate', async () => {
	const clock = new TestClock();
	const exact = clock.delay.bind(clock);
	clock.delay = async (ms, signal) => exact(ms + 80, signal);
	const bucket = new TokenBucket(1_000_000, clock);
	const start = clock.ms;
	for (let piece = 0; piece < 100; piece += 1) await bucket.take(100_000, never);
	assert.ok(clock.ms - start <= 10_100, `${clock.ms - start} ms`);
});

test('`TokenBucket.setRate` takes effect for those who wait, and 0 is unlimited', async () => {
	let wake: (() => void) | undefined;
	const clock: Pick<Clock, 'now' | 'delay'> = {
		now: () => 0,
		delay: (_ms, signal) =>
			new Promise((_resolve, reject) => {
				wake = () => reject(new Error('aborted'));
				signal?.addEventListener('abort', () => wake?.(), { once: true });
			}),
	};
	const bucket = new TokenBucket(1, clock);
	await bucket.take(1_000_000, never);
	const waiting = bucket.take(1_000_000, never);
	await new Promise(setImmediate);
	assert.ok(wake, 'the second has to wait');
	bucket.setRate(0);
	await waiting;
	await bucket.take(1_000_000_000, never);
	assert.equal(bucket.tryTake(1_000_000_000), true);
});

test('`TokenBucket.take` that is aborted ends, and does not hold up the next', async () => {
	const clock = new TestClock();
	const bucket = new TokenBucket(1_000, clock);
	await bucket.take(1_000, never);
	await assert.rejects(bucket.take(1, AbortSignal.abort(new Error('enough'))), { message: 'enough' });
	await bucket.take(1, never);
	assert.ok(clock.ms >= 2_000);
});

test('`TokenBucket.tryTake` succeeds only without a debt', () => {
	const clock = new TestClock();
	const bucket = new TokenBucket(1_000, clock);
	assert.equal(bucket.tryTake(1_000), true);
	assert.equal(bucket.tryTake(1), false);
	clock.ms += 1_001;
	assert.equal(bucket.tryTake(1), true);
});

test('`TokenBucket.take` waits off a debt of months in delays that a timer can do', async () => {
	const clock = new TestClock();
	const bucket = new TokenBucket(1, clock);
	const start = clock.ms;
	await bucket.take(8 * 1024 * 1024, never);
	await bucket.take(1, never);
	assert.equal(Math.max(...clock.delays), 2 ** 31 - 1);
	assert.ok(clock.ms - start >= 8 * 1024 * 1024 * 1000, `${clock.ms - start} ms`);
});
