/** Recoveries whose repository is on another machine, over `repo serve` as it is there. */
import assert from 'node:assert/strict';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { recoveryPlaces } from '../../supervisor/files/places.ts';
import { Elsewhere } from '../equipment/elsewhere.ts';
import { fileMustHold, MachineIo, SteppedRecovery } from '../equipment/recoveries.ts';
import { sampleDisk } from '../equipment/stored-disk.ts';
import type { SupervisedHost } from '../equipment/supervised-host.ts';

const MiB = 1024 * 1024;

interface Place {
	elsewhere: Elsewhere;
	host: SupervisedHost;
	recovery: SteppedRecovery;
	token: string;
}

async function place(t: TestContext, { sizeBytes = MiB, killAt = '' } = {}): Promise<Place> {
	const elsewhere = await Elsewhere.serve(t, sampleDisk(sizeBytes));
	const host = await elsewhere.host();
	await host.start({ killAt });
	const recovery = new SteppedRecovery(host, await elsewhere.plan());
	const { token } = recoveryPlaces(host.installation, recovery.name, recovery.recoveryId);
	return { elsewhere, host, recovery, token };
}

/** Up to a machine whose movers are to be started. */
async function make(recovery: SteppedRecovery): Promise<void> {
	await recovery.step('reserve', { limit: 8 });
	await recovery.chooseHardware();
	await recovery.step('allocate', { plan: recovery.plan });
	await recovery.step('create-machine', {});
}

test('a machine runs, is copied and switched over a service that dies on the way, without a repository mover', async t => {
	const here = await place(t, { sizeBytes: 6 * MiB });
	const { elsewhere, host, recovery, token } = here;
	const { bytes } = elsewhere.stored;
	await elsewhere.pin(recovery);
	await make(recovery);
	await recovery.step('start-movers', {});
	assert.equal((await stat(token)).mode & 0o777, 0o600);
	await recovery.step('snapshot', {});
	await recovery.step('power-on', { on: true });
	const { movers } = await recovery.viewed('both movers', view => view.movers.every(({ alive }) => alive));
	assert.deepEqual(
		movers.map(({ kind }) => kind),
		['mount', 'migration'],
	);
	const io = await MachineIo.open(recovery);
	await io.write(65_536, 4096, 0xab);

	await elsewhere.served.end('SIGKILL');
	await recovery.step('migrate-chunks', { maxRateBytes: 0 });
	await recovery.viewed('waiting', view => view.stalled?.code === 'mover_unreachable');
	await elsewhere.start();
	await recovery.viewed('restored', view => view.restored);
	await recovery.step('switch-to-target', {});
	await io.verify(65_536, 4096, 0xab);
	io.close();
	const secret = (await readFile(token, 'utf8')).trim();
	for (const log of ['mount-mover.log', 'migration-mover.log'])
		assert.ok(!(await readFile(join(host.directory('r1'), log), 'utf8').catch(() => '')).includes(secret));
	for (const said of [await host.log(), elsewhere.served.said()]) assert.ok(!said.includes(secret));
	await recovery.step('finalize', {});
	const left = await readdir(host.directory('r1'));
	assert.ok(!left.includes('repository-token'), left.join());
	const expected = Buffer.from(bytes);
	expected.fill(0xab, 65_536, 65_536 + 4096);
	await fileMustHold(recovery.target(), expected);
	assert.ok(!(await host.processes()).some(({ lock }) => lock.startsWith('host/repository-movers')));
});

test('a supervisor that dies between the token and the movers is followed by one that starts them, and asks anew for a token that is lost', async t => {
	const { elsewhere, host, recovery, token } = await place(t, { killAt: 'token-there' });
	await elsewhere.pin(recovery);
	await make(recovery);
	await assert.rejects(recovery.step('start-movers', {}), { code: 'supervisor_unreachable' });
	await host.ended();
	const first = await readFile(token, 'utf8');
	await host.start();
	await recovery.step('start-movers', {}, { again: true });
	assert.equal(await readFile(token, 'utf8'), first);
	await recovery.step('snapshot', {});
	await recovery.step('power-on', { on: true });
	await rm(token);
	const { movers } = await recovery.view();
	const old = movers.find(({ kind }) => kind === 'mount')?.pid ?? 0;
	process.kill(old, 'SIGKILL');
	await recovery.viewed('another mount mover', view =>
		view.movers.some(({ kind, alive, pid }) => kind === 'mount' && alive && pid !== old),
	);
	assert.equal(await readFile(token, 'utf8'), first);
	await recovery.restore();
	await recovery.step('discard', {});
});
