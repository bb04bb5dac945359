import assert from 'node:assert/strict';
import { test } from 'node:test';
import { giveBackAtRest } from '../../movers/at-rest.ts';
import { TestClock } from '../equipment/test-clock.ts';

const busyMs = 200;

/** What a mover gives back, told by the number of the look, when it used so much before each of them. */
async function givenBack(usedMs: readonly number[], costMs = 0): Promise<string[]> {
	const told: string[] = [];
	const over = new Error('no more looks');
	let looks = 0;
	let totalMs = 0;
	const clock = new TestClock();
	const delay = async (ms: number) => {
		const used = usedMs[looks];
		if (used === undefined) throw over;
		looks += 1;
		totalMs += used;
		await clock.delay(ms);
	};
	const letGo = () => told.push(`${looks} lets go`);
	const collect = () => {
		totalMs += costMs;
		told.push(`${looks} collects`);
	};
	const used = () => totalMs * 1000;
	await assert.rejects(giveBackAtRest({ letGo, clock: { delay }, used, collect }), over);
	return told;
}

test('`giveBackAtRest` lets go and collects once a mover that was busy has little to do', async () => {
	assert.deepEqual(await givenBack([busyMs, busyMs, 10, 0, 10]), ['4 lets go', '4 collects']);
});

test('`giveBackAtRest` gives back again after a mover was busy again', async () => {
	const told = await givenBack([0, 0, busyMs, 0, 0]);
	assert.deepEqual(told, ['2 lets go', '2 collects', '5 lets go', '5 collects']);
});

test('`giveBackAtRest` leaves a mover alone that is busy now and then', async () => {
	assert.deepEqual(await givenBack([0, busyMs, 0, busyMs, 0]), []);
});

test('`giveBackAtRest` does not take its own work for that of the mover', async () => {
	assert.deepEqual(await givenBack([0, 0, 0, 0, 0], busyMs), ['2 lets go', '2 collects']);
});
