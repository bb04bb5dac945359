/** `allocate` on a simulated host: what is there before it, and what it leaves. */
import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { wholeSectors } from '../../model/chunk-bounds.ts';
import type { RecoveryPlan } from '../../model/recovery.ts';
import { SteppedRecovery } from '../equipment/recoveries.ts';
import { diskBytes, hardware, simulate } from '../equipment/simulated-recovery.ts';

test('`allocate` leaves files that belong to no recovery as they are', async t => {
	const { host, plan, recovery } = await simulate(t);
	await mkdir(host.directory('r1'), { recursive: true });
	await writeFile(join(host.directory('r1'), 'disk0.raw'), 'somebody’s');
	await assert.rejects(recovery.step('allocate', { plan }), { code: 'identity_conflict' });
	assert.equal(await readFile(join(host.directory('r1'), 'disk0.raw'), 'utf8'), 'somebody’s');
});

test('`allocate` with another plan is a conflict, and one with an unknown field is refused', async t => {
	const { plan, recovery } = await simulate(t);
	await recovery.step('allocate', { plan });
	await assert.rejects(recovery.step('allocate', { plan: { ...plan, machineName: 'other' } }), {
		code: 'identity_conflict',
	});
	const strange = { ...plan, colour: 'red' } as RecoveryPlan; // as a newer client would send it
	await assert.rejects(recovery.step('allocate', { plan: strange }), { code: 'protocol' });
});

for (const [whose, chosen, message] of [
	['no platform', null, /no platform, this host is simulated/],
	['another platform', { ...hardware, platform: 'other' }, /platform other, this host is simulated/],
] as const)
	test(`\`allocate\` of a plan whose hardware ${whose} has chosen is refused before anything is written`, async t => {
		const simulation = await simulate(t);
		const { host, plan, recovery } = simulation;
		await recovery.step('reserve', { limit: 8 });
		const refused = recovery.step('allocate', { plan: { ...plan, hardware: chosen } });
		await assert.rejects(refused, { code: 'identity_conflict', message });
		assert.deepEqual(await readdir(host.directory('r1')), ['state.json']);
		assert.equal((await simulation.state()).plan, null);
		await recovery.step('allocate', { plan });
	});

test('`allocate` makes targets of whole sectors, which take their space when the plan says so', async t => {
	const { host, plan, recovery } = await simulate(t, { freeBytes: async () => 0 });
	await assert.rejects(recovery.step('allocate', { plan: { ...plan, allocate: 'start' } }), { code: 'space_short' });
	await recovery.step('discard', {});
	const thin = new SteppedRecovery(host, plan);
	await thin.step('allocate', { plan });
	const [disk] = (await thin.view()).disks;
	assert.equal((await stat(disk?.path ?? '')).size, wholeSectors(diskBytes));
});

test('`allocate` puts a new map in the place of that of an earlier attempt, whose target is gone', async t => {
	let attempts = 0;
	const { host, plan, recovery } = await simulate(t, {
		parts: {
			reached: async place => {
				if (place === 'allocate-map-disk0' && ++attempts === 1) throw new Error('the supervisor died');
			},
		},
	});
	await assert.rejects(recovery.step('allocate', { plan }), { code: 'internal' });
	const map = join(host.directory('r1'), 'disk0.map');
	const first = await readFile(map);
	await rm(join(host.directory('r1'), 'disk0.target'));
	await recovery.step('allocate', { plan }, { again: true });
	assert.notDeepEqual(await readFile(map), first);
	await recovery.run();
	await recovery.restore();
	assert.equal((await recovery.view()).blocked, null);
});
