import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SessionDropped } from '../../hypervisors/hyperv/simulator/faults.ts';
import {
	basePath,
	connect,
	madeMachine,
	overlay,
	overlayPath,
	sampleHost,
	sampleRecovery,
	slot,
	startOn,
	targetPath,
} from '../equipment/windows-host.ts';

const recoveryId = sampleRecovery;
const MiB = 2 ** 20;

test('a guest writes into its overlay and reads through it; flushed is kept over a power loss, unflushed is not', async t => {
	const sample = await sampleHost(t);
	await madeMachine(sample);
	await sample.must('start', startOn(basePath));
	const guest = sample.host.guest(recoveryId);
	const boot = guest.boot;
	assert.notEqual(boot, undefined);
	const kept = Buffer.alloc(1536, 0xa5);
	await guest.write(0, 3 * MiB - 512, kept);
	await guest.flush();
	await guest.write(0, 4096, Buffer.alloc(512, 0x11));
	const expected = Buffer.from(sample.base);
	kept.copy(expected, 3 * MiB - 512);
	assert.ok((await guest.read(0, 0, 512)).equals(expected.subarray(0, 512)));
	assert.ok((await guest.read(0, 4096, 512)).every(byte => byte === 0x11));

	await sample.boot();
	assert.deepEqual(await sample.ask('observe', { recoveryId }), {
		ok: true,
		result: { ...(await observed(sample)), state: 'Off' },
	});
	// The mount point is there, and nothing behind it.
	const refused = await sample.ask('start', startOn(basePath));
	assert.equal(refused.ok ? '' : refused.error.hresult, '0xC03A000D');
	await connect(sample);
	await sample.must('start', startOn(basePath));
	const again = sample.host.guest(recoveryId);
	assert.notEqual(again.boot, boot);
	assert.ok((await again.read(0, 0, expected.length)).equals(expected));
});

async function observed(sample: Awaited<ReturnType<typeof sampleHost>>) {
	const answer = await sample.ask('observe', { recoveryId });
	assert.ok(answer.ok && answer.result);
	return answer.result;
}

test('saved, moved to the target, resumed, merged: the target holds all, and nothing else is left', async t => {
	const sample = await sampleHost(t);
	const targetId = await madeMachine(sample);
	await sample.must('start', startOn(basePath));
	const guest = sample.host.guest(recoveryId);
	const boot = guest.boot;
	await guest.write(0, 0, Buffer.alloc(2 * MiB + 512, 0x42));
	await guest.flush();
	await guest.write(0, 6 * MiB, Buffer.alloc(512, 0x43));
	await sample.must('power', { recoveryId, action: 'save' });
	const from = [basePath];
	await sample.must('reparent', {
		recoveryId,
		overlay: overlayPath,
		from,
		parent: targetPath,
		parentId: targetId,
		anew: false,
	});
	await sample.must('start', startOn(targetPath));
	assert.equal(sample.host.guest(recoveryId).boot, boot, 'it was resumed, not booted');
	// The target was never filled: what the overlay does not have is zeros.
	const expected = Buffer.alloc(8 * MiB);
	expected.fill(0x42, 0, 2 * MiB + 512);
	expected.fill(0x43, 6 * MiB, 6 * MiB + 512);
	assert.ok((await sample.host.guest(recoveryId).read(0, 0, 8 * MiB)).equals(expected));
	await sample.host.guest(recoveryId).powerOff();
	assert.equal((await observed(sample)).stoppedBy, 'guest');
	await sample.must('merge', { recoveryId, overlay: overlayPath, target: targetPath, slot });
	await sample.must('start', startOn(null, targetPath));
	assert.ok((await sample.host.guest(recoveryId).read(0, 0, 8 * MiB)).equals(expected));
	await sample.must('remove-machine', { recoveryId, overlays: [overlayPath], directory: 'D:\\Rouse\\web01' });
	assert.deepEqual(await sample.ask('observe', { recoveryId }), { ok: true, result: null });
});

test('a machine of generation 2 tries its disk first, also when the session ended before that was set', async t => {
	const sample = await sampleHost(t);
	sample.host.faults.at('Add-VMHardDiskDrive done', { kind: 'drop' });
	await assert.rejects(madeMachine(sample), SessionDropped);
	await overlay(sample, sample.baseId);
	assert.equal(sample.host.parts.state.vms[0]?.firstBoot, 'disk');
});
