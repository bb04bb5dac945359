/** What serves the volume to a Windows host dies under a machine that runs from it: the supervisor brings it back. */
import assert from 'node:assert/strict';
import { readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import * as z from 'zod';
import { stopTarget } from '../../hypervisors/hyperv/iscsi/target.ts';
import { signalHolder } from '../../system/process-lock.ts';
import { waitFor } from '../../system/wait.ts';
import { hypervRecovery } from '../equipment/hyperv-recovery.ts';

const MiB = 2 ** 20;
const anew = "what serves the mount mover's disks to the machine had died and was started again";

const recordSchema = z.object({ iscsi: z.object({ port: z.int() }) });

type Started = Awaited<ReturnType<typeof hypervRecovery>>;

async function told({ host, recovery }: Started, message: string, count: number): Promise<void> {
	const found = async () => {
		const incidents = await host.client.incidents(recovery.name);
		const of = incidents.filter(one => one.kind === 'mover_died' && one.message === message);
		return of.reduce((sum, one) => sum + one.count, 0) === count;
	};
	await waitFor(`${count} times: ${message}`, found, { timeoutMs: 60_000 });
}

test('tgtd, the storage daemon or both are killed under a guest that reads: its reads are answered, and the incident tells it', async t => {
	const started = await hypervRecovery(t);
	const { hyperv, recovery, iscsi, guest, write, reads } = started;
	// It is left to the supervisor.
	hyperv.windows.faults.conditions.resumesByItself = false;
	await recovery.run();
	await write(0, Buffer.alloc(4096, 0x11));
	const { boot } = guest();
	const victims = [['tgtd.lock'], ['storage.lock'], ['tgtd.lock', 'storage.lock']];
	for (const [at, locks] of victims.entries()) {
		for (const lock of locks) assert.ok(await signalHolder(join(iscsi, lock), 'SIGKILL'), lock);
		// Nobody has read there before.
		await Promise.all([0, 1, 2, 3].map(one => reads((4 + 5 * at + one) * MiB)));
		await told(started, anew, at + 1);
	}
	assert.equal(guest().boot, boot, 'the guest was started anew');
	const view = await recovery.viewed('running', ({ power }) => power === 'on');
	assert.equal(view.blocked, null);
	await recovery.restore();
	await recovery.step('switch-to-target', {});
	await reads(0);
	await assert.rejects(readdir(iscsi), { code: 'ENOENT' });
	await recovery.step('finalize', {});
});

test('the appliance is booted again under a machine that runs: it carries on, and so does its copy', async t => {
	// The initiator has given the disk up before the appliance is back.
	const started = await hypervRecovery(t, { patienceMs: 500 });
	const { host, hyperv, recovery, stored, movers, supervisor, start, guest, write, reads, iscsi, expected } = started;
	hyperv.windows.faults.conditions.resumesByItself = false;
	await recovery.run();
	await write(MiB, Buffer.alloc(4096, 0x22));
	const { boot } = guest();
	await supervisor.stop();
	for (const lock of ['mount-mover.lock', 'migration-mover.lock'])
		await signalHolder(join(host.directory('r1'), lock), 'SIGKILL');
	await movers.repository(stored.directory).end();
	for (const lock of ['storage.lock', 'tgtd.lock']) await signalHolder(join(iscsi, lock), 'SIGKILL');
	// With the processes' kernel the mounts are gone.
	await stopTarget({ directory: iscsi });
	await rm(host.installation.runDirectory, { recursive: true, force: true });
	await hyperv.windows.rebootAppliance();
	const reading = reads(12 * MiB);
	const state = async () => (await hyperv.driver.ask('observe', { recoveryId: recovery.recoveryId }))?.state;
	await waitFor('the critical pause', async () => (await state()) === 'PausedCritical', { timeoutMs: 20_000 });

	await start();
	await reading;
	await told(started, anew, 1);
	assert.equal(guest().boot, boot, 'the guest was started anew');
	await reads(20 * MiB);
	await recovery.restore();
	await recovery.step('switch-to-target', {});
	await recovery.step('finalize', {});
	assert.equal(await host.client.machinePower('r1', 'off'), 'off');
	assert.ok((await hyperv.content(recovery.recoveryId, 0)).equals(expected));
});

test('while somebody else has the port a person is told, and the guest goes on at it when it is free again', async t => {
	const started = await hypervRecovery(t);
	const { host, recovery, supervisor, start, reads, iscsi } = started;
	await recovery.run();
	const directory = host.directory('r1');
	const { port } = recordSchema.parse(JSON.parse(await readFile(join(directory, 'hyperv.json'), 'utf8'))).iscsi;
	await supervisor.stop();
	await stopTarget({ directory: iscsi });
	const other = createServer(socket => socket.destroy()).listen(port, '127.0.0.1');
	await once(other, 'listening');
	t.after(async () => void other.close());
	await start();
	const reading = reads(12 * MiB);
	const { blocked } = await recovery.viewed('blocked', one => one.blocked !== null);
	assert.equal(blocked?.code, 'machine_failed');
	assert.match(blocked.reason, new RegExp(`tgtd does not serve 127.0.0.1:${port}`));
	other.close();
	await reading;
	await recovery.viewed('not blocked', one => one.blocked === null);
	await told(started, anew, 1);
});

test('Windows does not take the volume at first: it is asked again, and the incident still told', async t => {
	const started = await hypervRecovery(t);
	const { hyperv, recovery, iscsi, reads } = started;
	await recovery.run();
	hyperv.windows.faults.at('op connect-volume', { kind: 'hresult', hresult: '0xEFFF0003' }, { times: 1 });
	await signalHolder(join(iscsi, 'tgtd.lock'), 'SIGKILL');
	await reads(12 * MiB);
	await told(started, anew, 1);
	await recovery.viewed('not blocked', one => one.blocked === null);
});

test('between two attempts of a switch that is refused the guest has its volume', async t => {
	const started = await hypervRecovery(t);
	const { host, hyperv, recovery, iscsi, guest, reads } = started;
	await recovery.run();
	await recovery.restore();
	const { boot } = guest();
	hyperv.windows.faults.at('Set-VHD', { kind: 'hresult', hresult: '0x80070020' }, { times: 2 });
	await assert.rejects(recovery.step('switch-to-target', {}));
	const failedAgain = async () => (await host.client.incidents('r1')).some(({ kind }) => kind === 'switch_failed');
	await waitFor('the second attempt to fail', failedAgain, { timeoutMs: 30_000 });
	await signalHolder(join(iscsi, 'tgtd.lock'), 'SIGKILL');
	await reads(12 * MiB);
	await told(started, anew, 1);
	await recovery.viewed('switched', ({ chain, switchStage }) => chain === 'target' && switchStage === 'done');
	await reads(16 * MiB);
	assert.equal(guest().boot, boot, 'the guest was started anew');
	await recovery.step('finalize', {});
});
