import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { RouseError } from '../../model/errors.ts';
import { Tombstones } from '../../supervisor/files/tombstones.ts';
import { places } from '../../system/installation.ts';
import { waitFor } from '../../system/wait.ts';
import { simulate } from '../equipment/simulated-recovery.ts';

const full = new RouseError('space_short', 'no room for the tombstone');

/** A host on which `refused` decides whether a tombstone finds room. */
async function runningWith(t: TestContext, refused: (home: string) => boolean) {
	const of: { home?: string } = {};
	const simulation = await simulate(t, {
		parts: {
			tombstones: {
				repositories: () => new Tombstones(of.home ?? '').repositories(),
				read: id => new Tombstones(of.home ?? '').read(id),
				write: async tombstone => {
					if (refused(of.home ?? '')) throw full;
					await new Tombstones(of.home ?? '').write(tombstone);
				},
			},
		},
	});
	const home = (of.home = simulation.host.installation.home);
	await simulation.recovery.run();
	await waitFor('the ballast', () => existsSync(places.ballast(home)), { timeoutMs: 10_000 });
	return { simulation, recovery: simulation.recovery, home };
}

test('`discard` whose tombstone finds no room has not ended: the machine runs, and other orders are taken', async t => {
	let room = false;
	const { simulation, recovery, home } = await runningWith(t, () => !room);
	await assert.rejects(recovery.step('discard', {}), { code: 'space_short' });
	await recovery.step('retry', {});
	await simulation.looks(2);
	assert.equal((await recovery.view()).power, 'on');
	assert.equal((await recovery.view()).state, 'active');
	room = true;
	await recovery.step('discard', {});
	assert.equal(existsSync(simulation.host.directory('r1')), false);
	assert.equal((await readdir(places.tombstones(home))).length, 1);
});

test('`discard` and `finalize` that find no room take that of the ballast', async t => {
	for (const finish of [false, true]) {
		const { simulation, recovery, home } = await runningWith(t, at => existsSync(places.ballast(at)));
		await (finish ? simulation.finish() : recovery.step('discard', {}));
		assert.equal((await readdir(places.tombstones(home))).length, 1);
	}
});

test('the ballast is made again when there is room', async t => {
	const { simulation, recovery, home } = await runningWith(t, at => existsSync(places.ballast(at)));
	await recovery.step('discard', {});
	simulation.clock.pass(20_000);
	const whole = async () => {
		const { size, blocks } = await stat(places.ballast(home)).catch(() => ({ size: 0, blocks: 0 }));
		return size === 4 * 1024 * 1024 && blocks * 512 >= size;
	};
	await waitFor('the whole ballast, with the room it is to hold', whole, { timeoutMs: 10_000 });
});
