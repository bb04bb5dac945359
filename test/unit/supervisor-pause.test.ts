/** The step `pause-migration`, on a simulated host. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { waitFor } from '../../system/wait.ts';
import { sector, simulate } from '../equipment/simulated-recovery.ts';

/** A copy that would take a day. */
async function copying(t: TestContext) {
	const simulation = await simulate(t);
	const { recovery, pair } = simulation;
	await recovery.run();
	await recovery.step('migrate-chunks', { maxRateBytes: 1 });
	const mover = () => pair.migration.ask(({ migration }) => migration.state());
	assert.equal((await mover()).copying, true);
	return { simulation, recovery, pair, mover };
}

test('`pause-migration` returns when nothing is copied, is done twice, and `migrate-chunks` goes on to the last byte', async t => {
	const { recovery, mover } = await copying(t);
	await recovery.step('pause-migration', {});
	assert.equal((await mover()).copying, false);
	assert.equal((await recovery.view()).copying, false);
	await recovery.step('pause-migration', {}, { again: true });
	await recovery.step('pause-migration', {});
	await recovery.restore();
});

test('`pause-migration` holds for a mover and a supervisor that come after, and for `retry`', async t => {
	const { simulation, recovery, pair, mover } = await copying(t);
	await recovery.step('pause-migration', {});
	const { pid } = pair.migration.holder ?? {};
	await pair.migration.die();
	await waitFor('another mover', () => pair.migration.program && pair.migration.holder?.pid !== pid, {
		timeoutMs: 30_000,
	});
	await simulation.looks(2);
	assert.equal((await mover()).copying, false);
	await simulation.stop();
	await simulation.start();
	await simulation.looks(2);
	await recovery.step('retry', {});
	await simulation.looks(1);
	assert.equal((await mover()).copying, false);
	await recovery.restore();
});

test('`pause-migration` that the mover was not told is told by the next look', async t => {
	const { recovery, pair, mover } = await copying(t);
	pair.migration.hang();
	await assert.rejects(recovery.step('pause-migration', {}), { code: 'mover_unreachable' });
	pair.migration.goOn();
	await waitFor('the mover to pause', async () => !(await mover()).copying, { timeoutMs: 30_000 });
});

test('`pause-migration`: what the guest reads is kept on its target all the same', async t => {
	const { simulation, recovery, pair, mover } = await copying(t);
	await recovery.step('pause-migration', {});
	await pair.migration.ask(({ migration }) => migration.bucket.setRate(0));
	const before = (await mover()).writtenBytes;
	await simulation.guest.read(0, simulation.stored.bytes.length - 2 * sector, sector);
	await waitFor('the chunk to be written', async () => (await mover()).writtenBytes > before, { timeoutMs: 30_000 });
	assert.equal((await mover()).copying, false);
});

test('a copy that is ordered while its mover pauses begins', async t => {
	const { recovery, pair, mover } = await copying(t);
	await pair.migration.ask(async ({ migration }) => {
		const paused = migration.pause();
		migration.copy();
		await paused;
	});
	assert.equal((await mover()).copying, true);
	await recovery.restore();
});

test('`pause-migration` of what was never to be copied leaves nothing behind', async t => {
	const simulation = await simulate(t);
	const { recovery } = simulation;
	await recovery.run();
	await recovery.step('pause-migration', {});
	assert.deepEqual((await simulation.state()).copy, { wanted: false, paused: false, maxRateBytes: 0 });
	await recovery.restore();
});

test('`migrate-chunks` of before comes too late for a copy that is paused', async t => {
	const { recovery, mover } = await copying(t);
	const before = recovery.generation;
	await recovery.step('pause-migration', {});
	recovery.generation = before - 1;
	await assert.rejects(recovery.step('migrate-chunks', { maxRateBytes: 0 }), { code: 'generation_stale' });
	assert.equal((await mover()).copying, false);
});
