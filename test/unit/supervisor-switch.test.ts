/** What the supervisor does around a switch that did not go well, over real files, with a platform that only remembers. */
import assert from 'node:assert/strict';
import { mkdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { MachineObservation } from '../../hypervisors/contract.ts';
import type { RecoveryState } from '../../supervisor/files/state.ts';
import { waitFor } from '../../system/wait.ts';
import { prepare, restoreAll, stateOf } from '../equipment/pretended-recovery.ts';

const dead: MachineObservation = { power: 'off', alive: false, ioError: undefined };
const notBegun: MachineObservation = { power: 'off', alive: true, ioError: undefined };
const atFailedRead: MachineObservation = {
	power: 'paused',
	alive: true,
	ioError: { disk: 'disk0', operation: 'read', noSpace: false },
};

test('a seal that an earlier attempt left is taken back when something is missing, and the copy goes on', async t => {
	const { host, recovery, movers, inner, start } = await prepare(t);
	await recovery.run();
	await inner.stop();
	await movers.onlyMigration.end();
	await writeFile(
		join(host.directory('r1'), 'state.json'),
		JSON.stringify({ ...(await stateOf(recovery)), sealed: true }),
	);
	await start();
	await assert.rejects(recovery.step('switch-to-target', {}), { code: 'phase_wrong', message: /0 of 100000 bytes/ });
	await recovery.viewed('copying again', ({ sealed }) => !sealed && movers.onlyMigration.alive);
});

test('a mark that was not known to be written is put right before the next attempt stands on it', async t => {
	const { host, recovery, hypervisor } = await prepare(t);
	await recovery.run();
	await restoreAll(recovery);
	const path = join(host.directory('r1'), 'state.json');
	const found: string[] = [];
	let before = '';
	hypervisor.only.before = async call => {
		if (call !== 'switchToTarget') return;
		if (before === '') {
			before = await readFile(path, 'utf8');
			await rm(path);
			await mkdir(path); // which no rename replaces
		} else found.push((await stateOf(recovery)).chain);
	};
	await assert.rejects(recovery.step('switch-to-target', {}), { code: 'internal' });
	// The write that failed is found to have happened all the same.
	await rmdir(path);
	const written: RecoveryState = { ...JSON.parse(before), chain: 'target' };
	await writeFile(path, JSON.stringify(written));
	await recovery.step('switch-to-target', {}, { again: true });
	assert.equal(found[0], 'mover');
	assert.equal((await recovery.view()).chain, 'target');
});

test('a guest whose read was failed during the switch goes on before the switch is done', async t => {
	let stage: string | undefined;
	const { recovery, hypervisor } = await prepare(t, {
		reached: async place => {
			if (place === 'mark-target') hypervisorOf.one.only.now = atFailedRead;
		},
	});
	const hypervisorOf = { one: hypervisor };
	await recovery.run();
	await restoreAll(recovery);
	hypervisor.only.before = async call => {
		if (call === 'resume') stage ??= (await stateOf(recovery)).switch.stage;
	};
	await recovery.step('switch-to-target', {});
	assert.equal(stage, 'begun');
	assert.equal((await recovery.view()).power, 'on');
});

test('a machine that died in the switch, and whose supervisor died while it started it again, runs', async t => {
	const { recovery, hypervisor } = await prepare(t);
	await recovery.run();
	await restoreAll(recovery);
	const machine = hypervisor.only;
	let deaths = 0;
	machine.before = call => {
		if (call === 'switchToTarget' && deaths === 0) {
			deaths = 1;
			machine.now = dead;
			throw new Error('the machine died');
		}
		if (call === 'powerOn target' && deaths === 1) {
			deaths = 2;
			machine.now = notBegun;
			throw new Error('the supervisor died');
		}
	};
	await assert.rejects(recovery.step('switch-to-target', {}), /the machine died/);
	await waitFor('the second death', () => deaths === 2, { timeoutMs: 10_000 });
	await recovery.step('switch-to-target', {});
	assert.equal((await stateOf(recovery)).power.desired, 'on');
	assert.equal((await recovery.view()).power, 'on');
});
