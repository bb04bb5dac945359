import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StepQueue } from '../../supervisor/recovery/step-queue.ts';

/** Work that ends when it is told to, or is interrupted. */
function held() {
	const { promise, resolve, reject } = Promise.withResolvers<string>();
	const begun = Promise.withResolvers<void>();
	const work = (signal: AbortSignal) => {
		begun.resolve();
		signal.addEventListener('abort', () => reject(new Error('stopped')));
		return promise;
	};
	return { work, begun: begun.promise, finish: resolve };
}

test('steps of one recovery run one after the other', async () => {
	const queue = new StepQueue(0);
	const order: string[] = [];
	const first = held();
	const one = queue.run('one', 1, first.work).then(() => order.push('one'));
	const two = queue.run('two', 1, async () => order.push('two begins'));
	await first.begun;
	first.finish('');
	await Promise.all([one, two]);
	assert.deepEqual(order, ['one', 'two begins']);
});

test('a lower generation is refused', async () => {
	const queue = new StepQueue(3);
	await assert.rejects(
		queue.run('copy', 2, async () => 'done'),
		{ code: 'generation_stale' },
	);
});

test('the same step of the same generation attaches to what runs', async () => {
	const queue = new StepQueue(0);
	const first = held();
	const one = queue.run('switch', 1, first.work);
	const two = queue.run('switch', 1, async () => assert.fail('done twice'));
	first.finish('once');
	assert.deepEqual(await Promise.all([one, two]), ['once', 'once']);
});

test('the same step asked for again after another one is done again: off, on, off ends off', async () => {
	const queue = new StepQueue(0);
	const first = held();
	const done: string[] = [];
	const power = (wanted: string) => queue.run(`power ${wanted}`, 1, async () => done.push(wanted));
	const all = [queue.run('copy', 1, first.work), power('off'), power('on'), power('off'), power('off')];
	first.finish('');
	await Promise.all(all);
	assert.deepEqual(done, ['off', 'on', 'off']);
});

test('a higher generation interrupts what runs, which then is stale', async () => {
	const queue = new StepQueue(0);
	const first = held();
	const old = queue.run('copy', 1, first.work);
	await first.begun;
	assert.equal(await queue.run('discard', 2, async () => 'gone'), 'gone');
	await assert.rejects(old, { code: 'generation_stale' });
});

test('what waits is refused at its turn when a higher generation came meanwhile', async () => {
	const queue = new StepQueue(0);
	const first = held();
	const running = queue.run('copy', 1, first.work);
	const waiting = queue.run('rate', 1, async () => assert.fail('begun although stale'));
	const newest = queue.run('discard', 2, async () => 'gone');
	await assert.rejects(running, { code: 'generation_stale' });
	await assert.rejects(waiting, { code: 'generation_stale' });
	assert.equal(await newest, 'gone');
});

test('work that ends well although it was outranked has its result', async () => {
	const queue = new StepQueue(0);
	const gate = Promise.withResolvers<void>();
	const old = queue.run('mark', 1, async () => {
		await gate.promise;
		return 'marked';
	});
	const next = queue.run('discard', 2, async () => 'gone');
	gate.resolve();
	assert.deepEqual(await Promise.all([old, next]), ['marked', 'gone']);
});

test('background work waits for steps, and is done once however often it is asked for', async () => {
	const queue = new StepQueue(0);
	const order: string[] = [];
	const first = held();
	const step = queue.run('copy', 1, first.work).then(() => order.push('step'));
	await first.begun;
	const looks = [1, 2, 3].map(() =>
		queue.background(async () => {
			order.push('look');
		}),
	);
	first.finish('');
	await Promise.all([step, ...looks]);
	assert.deepEqual(order, ['step', 'look']);
});

test('what waits when the supervisor ends is interrupted, not stale: it may be asked for again', async () => {
	const queue = new StepQueue(0);
	const first = held();
	const running = queue.run('copy', 1, first.work);
	const waiting = queue.run('rate', 1, async () => assert.fail('begun after the end'));
	await first.begun;
	const stopped = queue.stop();
	await assert.rejects(running, { code: 'interrupted' });
	await assert.rejects(waiting, { code: 'interrupted' });
	await stopped;
	await assert.rejects(
		queue.run('rate', 9, async () => assert.fail('begun after the end')),
		{ code: 'interrupted' },
	);
});
