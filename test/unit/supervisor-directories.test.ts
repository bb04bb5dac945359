/** Directories that tell of something else, and machines that hang: neither may do harm to others. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { freeze } from '../../hypervisors/simulated/fate.ts';
import { temporaryPath } from '../../system/durable-file.ts';
import { SteppedRecovery } from '../equipment/recoveries.ts';
import { diskBytes, sector, simulate } from '../equipment/simulated-recovery.ts';

test('a copy of a directory stands for nothing: what it tells of is not removed through it', async t => {
	const simulation = await simulate(t);
	const { host, recovery, guest } = simulation;
	await simulation.finish();
	await simulation.stop();
	await cp(host.directory('r1'), host.directory('r1-copy'), { recursive: true });
	await simulation.start();
	await assert.rejects(host.client.removeMachine('r1-copy'), { code: 'identity_conflict', message: /belongs to r1/ });
	assert.equal((await recovery.view()).state, 'finished');
	assert.deepEqual(await guest.read(0, 0, sector), simulation.backedUp(0));
});

test('a copy of an unfinished recovery is not a second hand on the first', async t => {
	const simulation = await simulate(t);
	const { host, recovery } = simulation;
	await recovery.run();
	await simulation.stop();
	await cp(host.directory('r1'), host.directory('r2'), { recursive: true });
	await simulation.start();
	assert.deepEqual(
		simulation.supervisor.registry.recoveries().map(({ name }) => name),
		['r1'],
	);
});

test('a finished machine has the disks of its own directory and goes with them, whatever paths are on record', async t => {
	const simulation = await simulate(t);
	const { host, guest } = simulation;
	await simulation.finish();
	await simulation.stop();
	const path = join(host.directory('r1'), 'machine.json');
	const other = join(host.installation.home, 'disk-of-somebody.target');
	await writeFile(other, Buffer.alloc(diskBytes));
	const file = JSON.parse(await readFile(path, 'utf8'));
	await writeFile(path, JSON.stringify({ ...file, disks: [{ ...file.disks[0], path: other }] }));
	await simulation.start();
	await host.client.machinePower('r1', 'off');
	assert.equal(await host.client.machinePower('r1', 'on'), 'on');
	assert.deepEqual(await guest.read(0, 0, sector), simulation.backedUp(0));
	await guest.write(0, 0, Buffer.alloc(sector, 7));
	await host.client.removeMachine('r1');
	assert.deepEqual(await readFile(other), Buffer.alloc(diskBytes));
	assert.deepEqual(await readdir(join(host.directory('r1'), '..')), []);
});

test('a recovery whose sockets would lie where those of another do is refused', async t => {
	const { recovery, supervisor } = await simulate(t);
	await recovery.step('reserve', { limit: 8 });
	const recoveryId = `${recovery.recoveryId.slice(0, 8)}${randomUUID().slice(8)}`;
	await assert.rejects(supervisor.step('r2', 'reserve', { recoveryId, generation: 1, limit: 8 }), {
		code: 'identity_conflict',
	});
});

test('`GET /recoveries`: a machine that does not answer hides no other, and says so itself', async t => {
	const simulation = await simulate(t);
	const { host, plan } = simulation;
	await simulation.finish();
	freeze(simulation.simulated, simulation.definition(), true);
	await new SteppedRecovery(host, plan, 'r2').step('reserve', { limit: 8 });
	const views = await host.client.recoveries();
	assert.deepEqual(
		views.map(({ name, blocked }) => [name, blocked?.code]),
		[
			['r1', 'hypervisor_stuck'],
			['r2', undefined],
		],
	);
});

test('a supervisor that starts clears the directory of a recovery whose state was being written when it died', async t => {
	const simulation = await simulate(t);
	const { host } = simulation;
	await simulation.stop();
	await mkdir(host.directory('r2'));
	await writeFile(temporaryPath(join(host.directory('r2'), 'state.json')), '{"versi');
	await mkdir(host.directory('r3'));
	await writeFile(join(host.directory('r3'), 'somebody'), 'not ours');
	await simulation.start();
	assert.deepEqual(await readdir(join(host.directory('r1'), '..')), ['r3']);
});

test('a machine that is being removed is not powered on behind it', async t => {
	const simulation = await simulate(t);
	const { host, calls, guest, supervisor } = simulation;
	await simulation.finish();
	const removing = Promise.withResolvers<void>();
	const asked = Promise.withResolvers<void>();
	calls.before = async call => {
		if (call !== 'remove') return;
		removing.resolve();
		await asked.promise;
	};
	const removed = host.client.removeMachine('r1');
	await removing.promise;
	const power = supervisor.finished('r1').power('on');
	asked.resolve();
	await removed;
	await assert.rejects(power, { code: 'recovery_unknown' });
	assert.equal(guest.boot, undefined);
});

test('what a recovery reads from that cannot be understood is not taken away, and the host says which it is', async t => {
	const simulation = await simulate(t);
	const { host, recovery, movers, clock, plan } = simulation;
	await recovery.run();
	const another = `${plan.repository}-2`;
	await cp(plan.repository, another, { recursive: true });
	const other = new SteppedRecovery(host, { ...plan, repository: another }, 'r2');
	await other.run();
	await simulation.stop();
	await simulation.changeState({ version: 2 });
	await simulation.start();
	for (const _ of [1, 2, 3]) {
		await simulation.looks(2, other);
		clock.pass(10_000);
	}
	assert.notEqual(movers.repositoryLife(plan.repository).holder, undefined, 'the mover of its repository was ended');
	assert.match((await host.client.host()).warnings.join(), /r1 is left alone/);
});
