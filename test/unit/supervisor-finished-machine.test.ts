import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simulate } from '../equipment/simulated-recovery.ts';

test('`view` of a finished machine that nobody has looked at yet tells everybody at once that it is on', async t => {
	const simulation = await simulate(t);
	await simulation.finish();
	await simulation.stop();
	await simulation.start();
	const machine = simulation.supervisor.finished('r1');
	const views = await Promise.all([machine.view(), machine.view()]);
	assert.deepEqual(
		views.map(({ power }) => power),
		['on', 'on'],
	);
});
