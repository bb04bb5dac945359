import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { chapUser, freshChapSecret } from '../../hypervisors/hyperv/iscsi/chap.ts';
import type { IscsiTarget } from '../../hypervisors/hyperv/iscsi/definition.ts';
import { startTarget, stopTarget } from '../../hypervisors/hyperv/iscsi/target.ts';
import { IscsiInitiator } from '../../hypervisors/hyperv/simulator/iscsi-initiator.ts';
import { WindowsError } from '../../hypervisors/hyperv/simulator/rules.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { sampleDisk, sourceOf } from '../equipment/stored-disk.ts';
import { sampleGuids, serveVolume } from '../equipment/volumes.ts';
import { madeMachine, sampleHost, sampleRecovery, startOn, basePath } from '../equipment/windows-host.ts';
import { freePort } from '../../system/free-port.ts';

const MiB = 2 ** 20;

/** A mount mover's volume behind a target, and an initiator that knows the way. */
async function served(t: TestContext, { patienceMs = 60_000 } = {}) {
	const disk = sampleDisk(8 * MiB, 1);
	const volume = await serveVolume(t, [sourceOf(disk)]);
	const target: IscsiTarget = {
		directory: await temporaryDirectory(t, directory => stopTarget({ directory })),
		iqn: 'iqn.2026-11.example.rouse:web01',
		address: '127.0.0.1',
		port: await freePort(),
		chapSecret: freshChapSecret(),
		serial: '0b9c3f526f0d4a538f0e5a0d6e4b1c2d',
		nbdSocket: volume.mover.config.nbdSocket,
		exportName: 'volume',
	};
	await startTarget(target);
	let initiator: IscsiInitiator | undefined;
	const directory = await temporaryDirectory(t, async () => await initiator?.boot());
	initiator = new IscsiInitiator(join(directory, 'iscsi'), { patienceMs });
	const portal = { address: target.address, port: target.port };
	const login = { portal, iqn: target.iqn, chapUser, chapSecret: target.chapSecret };
	return { disk, volume, target, initiator, login };
}

test('the initiator reads the volume through the target: GPT, NTFS, and several reads at once', async t => {
	const { disk, volume, initiator, login } = await served(t);
	const remote = await initiator.connect(login);
	t.after(() => remote.close());
	assert.equal(remote.diskGuid, sampleGuids.diskGuid);
	assert.equal(await remote.file(sampleGuids.partitionGuid, 'disk7.vhdx'), undefined);
	const file = await remote.file(sampleGuids.partitionGuid, 'disk0.vhdx');
	assert.ok(file);
	assert.equal(await remote.writeBack(sampleGuids.partitionGuid), true, 'its metadata takes writes');
	const [payloadAt = 0] = volume.payloadsAt;
	const pieces = await Promise.all([0, 3, 5].map(at => file.read(payloadAt + at * MiB, MiB)));
	for (const [index, at] of [0, 3, 5].entries())
		assert.ok(disk.subarray(at * MiB, (at + 1) * MiB).equals(pieces[index] ?? Buffer.alloc(0)), `at ${at} MiB`);
});

test('a wrong secret is 0xEFFF0009, a portal where nobody listens 0xEFFF0003', async t => {
	const { initiator, login } = await served(t);
	const fails = (hresult: string) => (error: unknown) => error instanceof WindowsError && error.hresult === hresult;
	await assert.rejects(initiator.connect({ ...login, chapSecret: 'wrong'.repeat(3) }), fails('0xEFFF0009'));
	const portal = { address: '127.0.0.1', port: await freePort() };
	await assert.rejects(initiator.connect({ ...login, portal }), fails('0xEFFF0003'));
});

test('a machine pauses when the initiator has given up, and goes on by itself when the target is back', async t => {
	const { disk, target, initiator, login } = await served(t, { patienceMs: 1_500 });
	const sample = await sampleHost(t, { settings: { initiator } });
	const recoveryId = sampleRecovery;
	await madeMachine({ ...sample, base: disk }, { login });
	await sample.must('start', startOn(basePath));
	const guest = sample.host.guest(recoveryId);
	assert.ok((await guest.read(0, 0, 64 * 1024)).equals(disk.subarray(0, 64 * 1024)));
	await guest.write(0, 512, Buffer.alloc(512, 9));
	await stopTarget(target);
	const reading = guest.read(0, 4 * MiB, MiB);
	const state = async () => {
		const answer = await sample.ask('observe', { recoveryId });
		return answer.ok && answer.result?.state;
	};
	await waitFor('it to pause', async () => (await state()) === 'PausedCritical', { timeoutMs: 20_000 });
	await startTarget(target);
	assert.ok((await reading).equals(disk.subarray(4 * MiB, 5 * MiB)));
	assert.equal(await state(), 'Running');
	await guest.flush();
	assert.ok((await guest.read(0, 512, 512)).every(byte => byte === 9));
});
