import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import { SharedRate } from '../../movers/repository-mover/shared-rate.ts';
import { TestClock } from '../equipment/test-clock.ts';

const never = new AbortController().signal;
const burst = (rate: number) => rate * 0.2;

/** Copies that ask again as soon as they have got something, until the time is over; guests read as `guests` says. */
async function played(
	rate: number,
	copies: readonly { lanes: number; pieceBytes: number }[],
	{ seconds = 10, guestBytesPerSecond = 0 } = {},
): Promise<number[]> {
	const clock = new TestClock();
	const shared = new SharedRate(clock);
	shared.setRate(rate);
	const end = clock.ms + seconds * 1000;
	const over = new AbortController();
	const got = copies.map(() => 0);
	let readUntil = clock.ms;
	const lane = async (copy: number, pieceBytes: number) => {
		for (;;) {
			await shared.take(`copy${copy}`, pieceBytes, over.signal);
			if (clock.ms > end) return over.abort(new Error('over'));
			got[copy] = (got[copy] ?? 0) + pieceBytes;
			shared.spend((guestBytesPerSecond * (clock.ms - readUntil)) / 1000);
			readUntil = clock.ms;
		}
	};
	await Promise.allSettled(
		copies.flatMap(({ lanes, pieceBytes }, copy) => Array.from({ length: lanes }, () => lane(copy, pieceBytes))),
	);
	return got;
}

const sum = (numbers: readonly number[]) => numbers.reduce((all, one) => all + one, 0);

suite('`SharedRate`', () => {
	test('lets never more pass than the limit and a burst, all of it when it is wanted, and as much to each copy', async () => {
		await fc.assert(
			fc.asyncProperty(
				fc.integer({ min: 100_000, max: 500_000_000 }),
				fc.array(fc.record({ lanes: fc.integer({ min: 1, max: 3 }), part: fc.integer({ min: 4, max: 40 }) }), {
					minLength: 1,
					maxLength: 5,
				}),
				async (rate, kinds) => {
					const copies = kinds.map(({ lanes, part }) => ({ lanes, pieceBytes: Math.ceil((rate * part) / 1000) }));
					const got = await played(rate, copies);
					const largest = Math.max(...copies.map(({ pieceBytes }) => pieceBytes));
					const all = sum(got);
					assert.ok(all <= 10 * rate + burst(rate) + largest, `${all} bytes at ${rate}`);
					assert.ok(all >= 10 * rate * 0.99 - largest, `${all} bytes at ${rate}`);
					for (const one of got)
						assert.ok(Math.abs(one - all / got.length) <= 2 * largest, `${got.join()}: not equal by ${largest}`);
				},
			),
			{ numRuns: 20 },
		);
	});

	test('counts what guests read, and lets them never wait', async () => {
		const rate = 1_000_000;
		const got = await played(rate, [{ lanes: 2, pieceBytes: 10_000 }], { guestBytesPerSecond: 400_000 });
		assert.ok(Math.abs(sum(got) - 10 * 600_000) < 10 * rate * 0.02, `${sum(got)} bytes beside 4,000,000 of guests`);
	});

	test('leaves a sixteenth to copies however much guests read, so that none stands still', async () => {
		const rate = 1_000_000;
		const got = await played(
			rate,
			[
				{ lanes: 1, pieceBytes: 1_000 },
				{ lanes: 1, pieceBytes: 1_000 },
			],
			{
				guestBytesPerSecond: 50_000_000,
			},
		);
		for (const one of got) assert.ok(Math.abs(one - (10 * rate) / 32) < rate * 0.05, got.join());
	});

	test('what guests have read holds copies up for a second at most', async () => {
		const clock = new TestClock();
		const shared = new SharedRate(clock);
		shared.setRate(1_000_000);
		shared.spend(1_000_000_000);
		const begun = clock.ms;
		for (let piece = 0; piece < 10; piece += 1) await shared.take('a', 100_000, never);
		assert.ok(clock.ms - begun <= 2_000, `${clock.ms - begun} ms`);
	});

	test('a limit that is changed or taken away holds for those who wait', async () => {
		const clock = new TestClock();
		clock.delay = (_ms, signal) =>
			new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
		const shared = new SharedRate(clock);
		shared.setRate(1);
		await shared.take('a', 1_000_000, never);
		const waiting = shared.take('a', 1, never);
		shared.setRate(0);
		await waiting;
		await shared.take('a', 1_000_000_000, never);
	});

	test('waits for what a low limit makes months in delays that a timer can do', async () => {
		const clock = new TestClock();
		const shared = new SharedRate(clock);
		shared.setRate(1);
		const bytes = 8 * 1024 * 1024;
		const begun = clock.ms;
		await shared.take('a', bytes, never);
		await shared.take('a', 1, never);
		assert.equal(Math.max(...clock.delays), 2 ** 31 - 1);
		assert.ok(clock.ms - begun >= bytes * 1000, `${clock.ms - begun} ms`);
	});

	test('who goes holds up nobody, and a copy that was away for long makes nothing up', async () => {
		const clock = new TestClock();
		const shared = new SharedRate(clock);
		shared.setRate(1_000);
		await shared.take('a', 1_000, never);
		const gone = new AbortController();
		const left = shared.take('b', 1_000_000, gone.signal);
		gone.abort(new Error('gone'));
		await assert.rejects(left, { message: 'gone' });
		await shared.take('b', 100, never);
		for (let piece = 0; piece < 100; piece += 1) await shared.take('a', 100, never);
		const order: string[] = [];
		const ask = (name: string) => shared.take(name, 100, never).then(() => order.push(name));
		const many = Array.from({ length: 20 }, () => [ask('a'), ask('b')]);
		await Promise.all(many.flat());
		assert.equal(order.slice(0, 20).filter(name => name === 'b').length, 10, order.join());
	});
});
