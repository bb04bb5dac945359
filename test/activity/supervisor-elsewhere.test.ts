/** Recoveries whose repository is on another machine, over `repo serve` as it is there. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { Elsewhere } from '../equipment/elsewhere.ts';
import { fileMustHold, MachineIo, SteppedRecovery } from '../equipment/recoveries.ts';
import { sampleDisk } from '../equipment/stored-disk.ts';

const MiB = 1024 * 1024;

test('a machine runs, is copied and switched over a service that dies on the way, without a repository mover', async t => {
	const elsewhere = await Elsewhere.serve(t, sampleDisk(6 * MiB));
	const { bytes } = elsewhere.stored;
	const host = await elsewhere.host();
	await host.start();
	const recovery = new SteppedRecovery(host, await elsewhere.plan());
	await recovery.step('reserve', { limit: 8 });
	await recovery.chooseHardware();
	await recovery.step('allocate', { plan: recovery.plan });
	await elsewhere.grant(recovery, host);
	for (const step of ['create-machine', 'start-movers', 'snapshot'] as const) await recovery.step(step, {});
	await recovery.step('power-on', { on: true });
	assert.deepEqual(
		(await recovery.view()).movers.map(({ kind }) => kind),
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
	await recovery.step('finalize', {});
	const left = await readdir(host.directory('r1'));
	assert.ok(!left.includes('repository-token'), left.join());
	const expected = Buffer.from(bytes);
	expected.fill(0xab, 65_536, 65_536 + 4096);
	await fileMustHold(recovery.target(), expected);
	assert.ok(!(await host.processes()).some(({ lock }) => lock.startsWith('host/repository-movers')));
});
