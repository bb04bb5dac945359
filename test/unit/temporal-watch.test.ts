import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { pino } from 'pino';
import { RouseError } from '../../model/errors.ts';
import { TemporalWatch } from '../../workers/temporal-watch.ts';

function watched() {
	let now = 100_000;
	let full = false;
	const told: string[] = [];
	const clock = { now: () => now, date: () => new Date(now), delay: async () => {} };
	const record = async ({ at, reason = 'back' }: { at: string; reason?: string }) => {
		if (full) throw new RouseError('space_short', 'full');
		told.push(`${Date.parse(at)} ${reason}`);
	};
	const watch = new TemporalWatch({ record, log: pino({ level: 'silent' }), clock });
	return {
		told,
		answers: () => watch.answered(),
		/** So long after the last one an attempt fails that took a second, or as long as is said. */
		fails: async (afterMs: number, tookMs = 1_000) => {
			now += afterMs;
			await watch.failed(new Error('refused'), now - tookMs);
		},
		disk: (isFull: boolean) => (full = isFull),
	};
}

suite('`TemporalWatch`', () => {
	test('tells once, with since when, after three seconds, and when it is over', async () => {
		const { told, answers, fails } = watched();
		await answers();
		await fails(0);
		await fails(1_900);
		assert.deepEqual(told, []);
		await fails(100);
		await fails(5_000);
		assert.deepEqual(told, ['99000 refused']);
		await answers();
		await answers();
		assert.deepEqual(told, ['99000 refused', '107000 back']);
		await fails(0);
		await fails(3_000);
		assert.deepEqual(told.slice(2), ['106000 refused']);
	});

	test('says nothing of what is over before that, and is patient while all are started', async () => {
		const { told, answers, fails } = watched();
		await fails(0);
		await fails(18_000);
		await answers();
		await fails(0);
		await answers();
		assert.deepEqual(told, []);
	});

	test('says nothing of one attempt that failed late, as when this process stood still', async () => {
		const { told, answers, fails } = watched();
		await answers();
		await fails(60_000, 60_000);
		await answers();
		assert.deepEqual(told, []);
		await fails(5_000, 5_000);
		await fails(6_000, 5_000);
		assert.deepEqual(told, ['160000 refused']);
	});

	test('tells later what could not be written', async () => {
		const { told, answers, fails, disk } = watched();
		await answers();
		disk(true);
		await fails(0);
		await fails(3_000);
		disk(false);
		await fails(1_000);
		assert.deepEqual(told, ['99000 refused']);
		disk(true);
		await answers();
		disk(false);
		await answers();
		assert.deepEqual(told, ['99000 refused', '104000 back']);
	});
});
