import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MoverWatch } from '../../supervisor/movers/watch.ts';
import { PretendMover } from '../equipment/pretend-host.ts';

test('a mover that died is started again where its incident cannot be written down', async () => {
	const mover = new PretendMover('mount', {});
	const watch = new MoverWatch(
		mover,
		() => 0,
		() => Promise.reject(new Error('no space left')),
	);
	await assert.rejects(watch.keep(), /no space left/);
	assert.ok(mover.alive);
});

test('a mover that hangs is replaced where its incident cannot be written down', async () => {
	let now = 0;
	const mover = new PretendMover('mount', {});
	await mover.start();
	const watch = new MoverWatch(
		mover,
		() => now,
		() => Promise.reject(new Error('no space left')),
	);
	await watch.keep();
	mover.silent = true;
	now = 6_000;
	await assert.rejects(watch.keep(), /no space left/);
	assert.deepEqual(mover.calls, ['start', 'end', 'start']);
});
