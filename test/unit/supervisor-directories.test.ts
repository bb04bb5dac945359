/** Directories that tell of something else, and machines that hang: neither may do harm to others. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { cp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { RouseError } from '../../model/errors.ts';
import { waitFor } from '../../system/wait.ts';
import { image, plan, prepare, restoreAll, stateOf } from '../equipment/pretended-recovery.ts';
import { samplePlan, SteppedRecovery } from '../equipment/recoveries.ts';

type Prepared = Awaited<ReturnType<typeof prepare>>;

async function finish({ recovery }: Prepared): Promise<void> {
	await recovery.run();
	await restoreAll(recovery);
	await recovery.step('switch-to-target', {});
	await recovery.step('finalize', {});
}

test('a copy of a directory stands for nothing: what it tells of is not removed through it', async t => {
	const prepared = await prepare(t);
	const { host, recovery, inner, start } = prepared;
	await finish(prepared);
	await inner.stop();
	await cp(host.directory('r1'), host.directory('r1-copy'), { recursive: true });
	await start();
	await assert.rejects(host.client.removeMachine('r1-copy'), { code: 'identity_conflict', message: /belongs to r1/ });
	assert.ok((await readdir(host.directory('r1'))).includes('disk0.raw'));
	assert.equal((await recovery.view()).state, 'finished');
});

test('a copy of an unfinished recovery is not a second hand on the first', async t => {
	const { host, recovery, inner, start } = await prepare(t);
	await recovery.run();
	await inner.stop();
	await cp(host.directory('r1'), host.directory('r2'), { recursive: true });
	const { supervisor } = await start();
	assert.deepEqual(
		supervisor.registry.recoveries().map(({ name }) => name),
		['r1'],
	);
});

test('a machine has the disks of its own directory and is removed with them, whatever paths are on record', async t => {
	const prepared = await prepare(t);
	const { host, recovery, inner, start } = prepared;
	await finish(prepared);
	await inner.stop();
	const path = join(host.directory('r1'), 'machine.json');
	const other = join(host.installation.home, 'disk-of-somebody.raw');
	await writeFile(other, 'somebody’s');
	const file = JSON.parse(await readFile(path, 'utf8'));
	await writeFile(path, JSON.stringify({ ...file, disks: [{ ...file.disks[0], targetPath: other }] }));
	await start();
	assert.equal((await recovery.view()).disks[0]?.path, recovery.target());
	await host.client.removeMachine('r1');
	assert.equal(await readFile(other, 'utf8'), 'somebody’s');
	assert.deepEqual(await readdir(join(host.directory('r1'), '..')), []);
});

test('a recovery whose sockets would lie where those of another do is refused', async t => {
	const { recovery, inner } = await prepare(t);
	await recovery.step('reserve', { limit: 8 });
	const recoveryId = `${recovery.recoveryId.slice(0, 8)}${randomUUID().slice(8)}`;
	await assert.rejects(inner.supervisor.step('r2', 'reserve', { recoveryId, generation: 1, limit: 8 }), {
		code: 'identity_conflict',
	});
});

test('a machine that does not answer hides no other, and says so itself', async t => {
	const prepared = await prepare(t);
	const { host, hypervisor } = prepared;
	await finish(prepared);
	hypervisor.only.observe = () => Promise.reject(new RouseError('hypervisor_stuck', 'no answer'));
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

test('a machine that is being removed is not powered on behind it', async t => {
	const prepared = await prepare(t);
	const { host, hypervisor } = prepared;
	await finish(prepared);
	const removing = Promise.withResolvers<void>();
	const asked = Promise.withResolvers<void>();
	hypervisor.only.before = async call => {
		if (call !== 'remove') return;
		removing.resolve();
		await asked.promise;
	};
	const removed = host.client.removeMachine('r1');
	await removing.promise;
	const power = prepared.inner.supervisor.finished('r1').power('on');
	asked.resolve();
	await removed;
	await assert.rejects(power, { code: 'recovery_unknown' });
	assert.equal(hypervisor.only.calls.at(-1), 'remove');
});

test('what a recovery reads from that cannot be understood is not taken away, and the host says which it is', async t => {
	let skew = 0;
	const { host, recovery, movers, hypervisor, inner, start } = await prepare(t, {
		clock: () => performance.now() + skew,
	});
	await recovery.run();
	const other = new SteppedRecovery(host, samplePlan({ directory: '/other', image }), 'r2');
	await other.run();
	await inner.stop();
	const state = await stateOf(recovery);
	await writeFile(join(host.directory('r1'), 'state.json'), JSON.stringify({ ...state, version: 2 }));
	const machine = hypervisor.machines.get(other.recoveryId);
	assert.ok(machine);
	let looks = 0;
	machine.observe = async () => {
		looks += 1;
		return machine.now;
	};
	await start();
	for (const upTo of [2, 4]) {
		await waitFor('looks', () => looks >= upTo, { timeoutMs: 10_000 });
		skew += 10_000;
	}
	await waitFor('looks', () => looks >= 7, { timeoutMs: 10_000 });
	assert.ok(movers.repositories.get('/repository')?.alive, 'the mover of its repository was ended');
	assert.match((await host.client.host()).warnings.join(), /r1 is left alone/);
});
