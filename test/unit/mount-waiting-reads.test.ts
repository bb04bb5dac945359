import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Waiter, WaitingReads } from '../../movers/mount-mover/waiting-reads.ts';
import { TestClock } from '../equipment/test-clock.ts';

function waiter(): Waiter & { failed: number; looked: number } {
	return {
		failed: 0,
		looked: 0,
		fail() {
			this.failed += 1;
		},
		lookAgain() {
			this.looked += 1;
		},
	};
}

test('`WaitingReads.oldestWaitMs` is the age of whoever waits longest', () => {
	const clock = new TestClock();
	const waiting = new WaitingReads(clock);
	assert.equal(waiting.oldestWaitMs, 0);
	const [first, second] = [waiter(), waiter()];
	waiting.add(first);
	clock.ms += 700;
	waiting.add(second);
	clock.ms += 50;
	assert.equal(waiting.oldestWaitMs, 750);
	waiting.delete(first);
	assert.equal(waiting.oldestWaitMs, 50);
});

test('`WaitingReads.failPending` fails each that waits once, and says `failing` for exactly its time', () => {
	const clock = new TestClock();
	const waiting = new WaitingReads(clock);
	assert.equal(waiting.failing, false);
	const one = waiter();
	waiting.add(one);
	assert.equal(waiting.failPending(1_000), 1);
	assert.equal(one.failed, 1);
	assert.equal(waiting.count, 0);
	assert.equal(waiting.failPending(1_000), 0);
	clock.ms += 999;
	assert.equal(waiting.failing, true);
	clock.ms += 1;
	assert.equal(waiting.failing, false);
});

test('`WaitingReads.serve` ends `failing` at once', () => {
	const waiting = new WaitingReads(new TestClock());
	waiting.failPending(60_000);
	assert.equal(waiting.failing, true);
	waiting.serve();
	assert.equal(waiting.failing, false);
});

test('`WaitingReads.lookAgain` asks everybody who waits', () => {
	const waiting = new WaitingReads(new TestClock());
	const all = [waiter(), waiter()];
	for (const one of all) waiting.add(one);
	waiting.lookAgain();
	assert.deepEqual(
		all.map(({ looked }) => looked),
		[1, 1],
	);
});
