import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RequestOf, Slot } from '../../hypervisors/hyperv/driver/requests.ts';
import { addAccessPath, connectTarget, disconnectTarget } from '../../hypervisors/hyperv/simulator/cmdlets/iscsi.ts';
import { SessionDropped } from '../../hypervisors/hyperv/simulator/faults.ts';
import { freeSlot } from '../../hypervisors/hyperv/simulator/operations/targets.ts';
import { breaks, rules } from '../../hypervisors/hyperv/simulator/rules.ts';
import { waitFor } from '../../system/wait.ts';
import {
	applianceId,
	basePath,
	connect,
	folder,
	ids,
	madeMachine,
	merge,
	refuses,
	reparent,
	type SampleHost,
	sampleHost,
	sampleRecovery,
	startOn,
	targetPath,
} from '../equipment/windows-host.ts';

const recoveryId = sampleRecovery;
const MiB = 2 ** 20;

const target = (change: Partial<RequestOf<'make-target'>> = {}): RequestOf<'make-target'> => ({
	recoveryId,
	path: targetPath,
	sizeBytes: 8 * MiB,
	whole: false,
	knownId: null,
	...change,
});

async function stateOf({ ask }: SampleHost): Promise<string | undefined> {
	const answer = await ask('observe', { recoveryId });
	return answer.ok ? answer.result?.state : undefined;
}

test('each rule has an HRESULT and a source', () => {
	for (const [name, { hresult, says, source }] of Object.entries(rules)) {
		assert.match(hresult, /^0x[\dA-F]{8}$/, name);
		assert.ok(says.length > 10 && source.length > 20, name);
	}
});

test('`make-target`: below 3 MiB, another size, another id and one that is gone are refused', async t => {
	const sample = await sampleHost(t);
	await refuses(sample, '0xC03A0012', 'make-target', target({ sizeBytes: 2 * MiB }));
	const made = await sample.ask('make-target', target());
	assert.ok(made.ok && made.result.made);
	const knownId = made.result.virtualDiskId;
	assert.deepEqual(await sample.ask('make-target', target({ knownId })), {
		ok: true,
		result: { ...made.result, made: false },
	});
	await refuses(sample, 'identity_conflict', 'make-target', target({ knownId: applianceId }));
	await refuses(sample, 'identity_conflict', 'make-target', target({ sizeBytes: 9 * MiB }));
	const other = `${folder}\\target1.vhdx`;
	await refuses(sample, 'identity_conflict', 'make-target', target({ path: other, knownId: applianceId }));
	sample.host.faults.change({ freeBytes: 0 });
	await refuses(sample, '0x80070070', 'make-target', target({ path: other }));
});

test('the appliance has 4 × 64 places less its own, and another appliance is not known', async t => {
	const taken: Slot[] = [];
	for (let number = 1; number < 4 * 64; number++) taken.push(freeSlot(taken));
	assert.deepEqual(taken.at(-1), { controller: 'SCSI', number: 3, location: 63 });
	assert.throws(() => freeSlot(taken), { code: 'slots_full' });
	const sample = await sampleHost(t);
	const made = await sample.ask('make-target', target());
	assert.ok(made.ok);
	const { path, virtualDiskId } = made.result;
	await refuses(sample, 'machine_unknown', 'attach-target', { recoveryId, appliance: recoveryId, path, virtualDiskId });
});

test('an attached target is in use: nobody removes it, stands on it or starts with it', async t => {
	const sample = await sampleHost(t);
	const virtualDiskId = await madeMachine(sample);
	await sample.must('attach-target', { recoveryId, appliance: applianceId, path: targetPath, virtualDiskId });
	await refuses(sample, '0x80070020', 'reparent', reparent(virtualDiskId));
	await sample.must('detach-target', { recoveryId, appliance: applianceId, path: targetPath });
	await sample.must('reparent', reparent(virtualDiskId));
	await sample.must('attach-target', { recoveryId, appliance: applianceId, path: targetPath, virtualDiskId });
	await refuses(sample, '0x80070020', 'start', startOn(targetPath));
});

test('with a checkpoint of the appliance over it a target is neither attached, detached nor removed: `chain_unexpected`', async t => {
	const sample = await sampleHost(t);
	const virtualDiskId = await madeMachine(sample);
	const request = { recoveryId, appliance: applianceId, path: targetPath };
	await sample.must('attach-target', { ...request, virtualDiskId });
	await sample.host.addApplianceCheckpoint();
	await refuses(sample, 'chain_unexpected', 'attach-target', { ...request, virtualDiskId });
	await refuses(sample, 'chain_unexpected', 'detach-target', request);
	const targets = { recoveryId, appliance: applianceId, paths: [targetPath], directory: folder };
	await refuses(sample, 'chain_unexpected', 'remove-targets', targets);
	const other = await sample.ask('make-target', target({ path: `${folder}\\target1.vhdx` }));
	assert.ok(other.ok);
	const { path, virtualDiskId: otherId } = other.result;
	await sample.must('attach-target', { ...request, path, virtualDiskId: otherId });
});

test('`start`: the chain must be as is said, the memory there, and the account allowed', async t => {
	const sample = await sampleHost(t);
	const targetId = await madeMachine(sample);
	await refuses(sample, 'chain_unexpected', 'start', startOn(targetPath));
	await refuses(sample, 'chain_unexpected', 'start', { recoveryId, disks: [{ leaf: targetPath, parent: null }] });
	sample.host.faults.change({ memoryMiB: 512 });
	await refuses(sample, '0x8007000E', 'start', startOn(basePath));
	sample.host.faults.mend();
	sample.host.faults.change({ deniedPaths: [folder] });
	await refuses(sample, '0x80070005', 'start', startOn(basePath));
	sample.host.faults.mend();
	await sample.must('start', startOn(basePath));
	assert.deepEqual(await sample.ask('start', startOn(basePath)), { ok: true, result: { started: false } });
	await sample.must('power', { recoveryId, action: 'turn-off' });
	await sample.must('reparent', reparent(targetId));
	sample.host.faults.change({ deniedPaths: [targetPath] });
	await refuses(sample, '0xC03A0016', 'start', startOn(targetPath));
});

test('`reparent` and `merge` are for a machine that does not run; a merge is for one that is off', async t => {
	const sample = await sampleHost(t);
	const targetId = await madeMachine(sample);
	await sample.must('start', startOn(basePath));
	await refuses(sample, 'state_wrong', 'reparent', reparent(targetId));
	await refuses(sample, 'state_wrong', 'merge', merge);
	await sample.must('power', { recoveryId, action: 'save' });
	await refuses(sample, 'state_wrong', 'merge', merge);
	await refuses(sample, 'identity_conflict', 'reparent', reparent(applianceId));
	await refuses(sample, 'chain_unexpected', 'reparent', reparent(targetId, { from: [`${folder}\\other.vhdx`] }));
	assert.deepEqual(await sample.ask('reparent', reparent(targetId)), { ok: true, result: { changed: true } });
	assert.deepEqual(await sample.ask('reparent', reparent(targetId)), { ok: true, result: { changed: false } });
	await sample.must('power', { recoveryId, action: 'forget-saved' });
	assert.deepEqual(await sample.ask('merge', merge), { ok: true, result: { merged: true } });
	assert.deepEqual(await sample.ask('merge', merge), { ok: true, result: { merged: false } });
});

test('a target that was written to after an overlay was put on it is 0xC03A000E, one of another size 0xC03A0017', async t => {
	const sample = await sampleHost(t);
	const targetId = await madeMachine(sample);
	const other = `${folder}\\target1.vhdx`;
	const made = await sample.ask('make-target', target({ path: other, sizeBytes: 9 * MiB }));
	assert.ok(made.ok);
	await refuses(sample, '0xC03A0017', 'reparent', reparent(made.result.virtualDiskId, { parent: other }));
	await sample.must('reparent', reparent(targetId));
	await sample.rewrite(targetPath);
	await refuses(sample, '0xC03A000E', 'start', startOn(targetPath));
});

test('generation 2 has no IDE, IDE takes no disk of a machine that runs, and generation 1 boots from IDE alone', async t => {
	const sample = await sampleHost(t);
	await madeMachine(sample, { generation: 1 });
	await sample.must('start', startOn(basePath));
	assert.equal(sample.host.guest(recoveryId).boot, undefined, 'its disk is on SCSI');
	const overlay = (controller: 'IDE' | 'SCSI', name: string, location = 1) => ({
		recoveryId,
		path: `${folder}\\${name}.vhdx`,
		parent: basePath,
		parentId: sample.baseId,
		slot: { controller, number: 0, location },
	});
	await refuses(sample, 'state_wrong', 'make-overlay', overlay('IDE', 'overlay1'));
	await sample.must('power', { recoveryId, action: 'turn-off' });
	await sample.must('make-overlay', overlay('IDE', 'overlay1'));
	await refuses(sample, '0x80070057', 'make-overlay', overlay('IDE', 'overlay3', 2));
	const second = await sampleHost(t);
	await madeMachine(second);
	await refuses(second, '0x80070057', 'make-overlay', { ...overlay('IDE', 'overlay1'), parentId: second.baseId });
});

test('a disk that came up offline has no access path, and a volume in use cannot be disconnected', async t => {
	const sample = await sampleHost(t);
	const iqn = 'iqn.2026-11.example.rouse:web01';
	const login = { portal: { address: '127.0.0.1', port: 3260 }, iqn, chapUser: 'rouse', chapSecret: 'x'.repeat(16) };
	await connectTarget(sample.host.parts, login);
	const path = addAccessPath(sample.host.parts, { path: `${folder}\\base`, iqn, ...ids });
	await assert.rejects(path, { hresult: '0x80070013' });
	await disconnectTarget(sample.host.parts, iqn);
	await madeMachine(sample);
	await sample.must('start', startOn(basePath));
	const volume = {
		recoveryId,
		portal: { address: '127.0.0.1', port: 3260 },
		iqn: 'iqn.2026-11.example.rouse:web01',
		accessPath: `${folder}\\base`,
	};
	await assert.rejects(disconnectTarget(sample.host.parts, volume.iqn), { hresult: '0xEFFF0040' });
	await sample.must('power', { recoveryId, action: 'turn-off' });
	assert.deepEqual(await sample.ask('disconnect-volume', volume), { ok: true, result: { disconnected: true } });
	await refuses(sample, '0xC03A000D', 'start', startOn(basePath));
});

test('a volume is written to when it is mounted and when it goes, and one that takes no write is not mounted', async t => {
	const sample = await sampleHost(t);
	sample.volume.lost = breaks('deviceNotReady', 'read', 'as the test has it');
	await assert.rejects(connect(sample), /0x80070015/);
	assert.equal(sample.volume.written, 1);
	sample.volume.lost = undefined;
	await connect(sample);
	assert.equal(sample.volume.written, 2);
	const { iqn, portal } = { iqn: 'iqn.2026-11.example.rouse:web01', portal: { address: '127.0.0.1', port: 3260 } };
	await sample.must('disconnect-volume', { recoveryId, portal, iqn, accessPath: `${folder}\\base` });
	assert.equal(sample.volume.written, 3);
});

test('`disconnect-volume` takes the volume from no guest that runs', async t => {
	const sample = await sampleHost(t);
	const targetId = await madeMachine(sample);
	await sample.must('start', startOn(basePath));
	const { iqn, portal } = { iqn: 'iqn.2026-11.example.rouse:web01', portal: { address: '127.0.0.1', port: 3260 } };
	const disconnect = { recoveryId, portal, iqn, accessPath: `${folder}\\base` };
	await refuses(sample, 'state_wrong', 'disconnect-volume', disconnect);
	assert.ok((await sample.host.guest(recoveryId).read(0, MiB, 512)).equals(sample.base.subarray(MiB, MiB + 512)));
	await sample.must('power', { recoveryId, action: 'save' });
	await sample.must('reparent', reparent(targetId));
	await sample.must('start', startOn(targetPath));
	await sample.must('disconnect-volume', disconnect);
	assert.equal(await stateOf(sample), 'Running');
});

test('a saved state that does not resume stays; forgetting it is power loss for the guest', async t => {
	const sample = await sampleHost(t);
	await madeMachine(sample);
	await sample.must('start', startOn(basePath));
	const guest = sample.host.guest(recoveryId);
	await guest.write(0, 0, Buffer.alloc(512, 1));
	await guest.flush();
	await guest.write(0, 0, Buffer.alloc(512, 2));
	await sample.must('power', { recoveryId, action: 'save' });
	sample.host.faults.change({ savedStateUnusable: true });
	await refuses(sample, '0x80004005', 'start', startOn(basePath));
	assert.equal(await stateOf(sample), 'Saved');
	await sample.must('power', { recoveryId, action: 'forget-saved' });
	sample.host.faults.mend();
	await sample.must('start', startOn(basePath));
	assert.equal((await sample.host.guest(recoveryId).read(0, 0, 1))[0], 1);
});

test('a saved machine keeps over a power loss of the host what its guest had not flushed', async t => {
	const sample = await sampleHost(t);
	await madeMachine(sample);
	await sample.must('start', startOn(basePath));
	const guest = sample.host.guest(recoveryId);
	const { boot } = guest;
	await guest.write(0, 0, Buffer.alloc(512, 2));
	await sample.must('power', { recoveryId, action: 'save' });
	await sample.boot();
	await connect(sample);
	await sample.must('start', startOn(basePath));
	assert.equal(sample.host.guest(recoveryId).boot, boot);
	assert.equal((await sample.host.guest(recoveryId).read(0, 0, 1))[0], 2);
});

test('a machine whose disk is full pauses, and goes on when it is resumed', async t => {
	const sample = await sampleHost(t);
	await madeMachine(sample);
	await sample.must('start', startOn(basePath));
	const guest = sample.host.guest(recoveryId);
	await guest.write(0, 0, Buffer.alloc(512, 2));
	sample.host.faults.change({ freeBytes: 0 });
	const flushing = guest.flush();
	await waitFor('it to pause', async () => (await stateOf(sample)) === 'PausedCritical', { timeoutMs: 5_000 });
	sample.host.faults.mend();
	assert.deepEqual(await sample.ask('power', { recoveryId, action: 'resume' }), {
		ok: true,
		result: { state: 'Running' },
	});
	await flushing;
});

test('a read that the volume fails pauses the machine until its storage is back', async t => {
	const sample = await sampleHost(t);
	await madeMachine(sample);
	await sample.must('start', startOn(basePath));
	sample.volume.lost = breaks('deviceNotReady', 'read', 'as the test has it');
	const reading = sample.host.guest(recoveryId).read(0, MiB, 512);
	await waitFor('it to pause', async () => (await stateOf(sample)) === 'PausedCritical', { timeoutMs: 5_000 });
	sample.volume.lost = undefined;
	sample.volume.back();
	assert.ok((await reading).equals(sample.base.subarray(MiB, MiB + 512)));
});

test('a machine that stands still for too long is off, as if nobody had stopped it', async t => {
	const sample = await sampleHost(t);
	await madeMachine(sample);
	await sample.must('start', startOn(basePath));
	sample.host.faults.change({ criticalTimeoutMs: 20 });
	sample.volume.lost = breaks('deviceNotReady', 'read', 'as the test has it');
	await assert.rejects(sample.host.guest(recoveryId).read(0, MiB, 512), { code: 'machine_failed' });
	await waitFor('it to be off', async () => (await stateOf(sample)) === 'Off', { timeoutMs: 5_000 });
	const seen = await sample.ask('observe', { recoveryId });
	assert.ok(seen.ok);
	assert.deepEqual([seen.result?.state, seen.result?.stoppedBy], ['Off', 'unknown']);
});

test('a frozen machine is not observed until it is thawed, and its power can be taken all the same', async t => {
	const sample = await sampleHost(t);
	await madeMachine(sample);
	await sample.must('start', startOn(basePath));
	sample.host.freeze(recoveryId, true);
	let observed = false;
	const observing = sample.ask('observe', { recoveryId }).then(() => (observed = true));
	await sample.must('hello', {});
	assert.equal(observed, false);
	await sample.must('power', { recoveryId, action: 'turn-off' });
	await observing;
	assert.equal(await stateOf(sample), 'Off');
});

test("somebody's checkpoint moves the leaf, and a start as before is `chain_unexpected`", async t => {
	const sample = await sampleHost(t);
	await madeMachine(sample);
	await sample.host.addCheckpoint(recoveryId);
	await refuses(sample, 'chain_unexpected', 'start', startOn(basePath));
	const chain = await sample.ask('chain', { recoveryId });
	assert.ok(chain.ok);
	assert.equal(chain.result.disks[0]?.files.length, 3);
	const seen = await sample.ask('observe', { recoveryId });
	assert.equal(seen.ok && seen.result?.checkpoints, 1);
});

test('a session that is dropped before the work leaves it undone, one dropped after it done; both find it so when asked again', async t => {
	const sample = await sampleHost(t);
	sample.host.faults.at('New-VHD', { kind: 'drop' });
	await assert.rejects(sample.ask('make-target', target()), SessionDropped);
	sample.host.faults.at('op make-target done', { kind: 'drop' });
	await assert.rejects(sample.ask('make-target', target()), SessionDropped);
	const answer = await sample.ask('make-target', target());
	assert.equal(answer.ok && answer.result.made, false);
});

test('of two sessions that work on one recovery the second waits, and is told `busy`; a look waits for nobody', async t => {
	const sample = await sampleHost(t, { settings: { lockMs: 50 } });
	await madeMachine(sample);
	await sample.must('start', startOn(basePath));
	sample.host.faults.at('Save-VM', { kind: 'hold' });
	const saving = sample.must('power', { recoveryId, action: 'save' });
	await refuses(sample, 'busy', 'power', { recoveryId, action: 'resume' });
	assert.equal(await stateOf(sample), 'Running');
	sample.host.faults.release('Save-VM');
	await saving;
	assert.equal(await stateOf(sample), 'Saved');
});

test('a machine is turned off for good only when nobody is at work who was to start it, and `busy` until then', async t => {
	const sample = await sampleHost(t, { settings: { lockMs: 500 } });
	await madeMachine(sample);
	const turnOff = { recoveryId, action: 'turn-off' as const };
	const { faults } = sample.host;
	for (const point of ['Get-VHD', 'Start-VM']) {
		// Of a session that was lost: its order comes late.
		faults.at(point, { kind: 'hold' });
		const late = sample.ask('start', startOn(basePath));
		await waitFor('it to be late', async () => faults.heldAt(point) === 1, { timeoutMs: 5_000 });
		await refuses(sample, 'busy', 'power', turnOff);
		const off = sample.must('power', turnOff);
		faults.release(point);
		assert.ok((await late).ok);
		await off;
		assert.equal(await stateOf(sample), 'Off');
	}
});

test('a machine that another session works on without an end is turned off all the same, and removed when that has ended', async t => {
	const sample = await sampleHost(t, { settings: { lockMs: 50 } });
	await madeMachine(sample);
	const remove = { recoveryId, overlays: [], directory: folder };
	for (const stop of ['power', 'remove-machine'] as const) {
		await sample.must('start', startOn(basePath));
		sample.host.faults.at('Save-VM', { kind: 'hold' });
		const saving = sample.ask('power', { recoveryId, action: 'save' });
		await waitFor('it to hang', async () => sample.host.faults.heldAt('Save-VM') === 1, { timeoutMs: 5_000 });
		if (stop === 'power') await sample.must('power', { recoveryId, action: 'turn-off' });
		else await refuses(sample, 'busy', 'remove-machine', remove);
		assert.equal(await stateOf(sample), 'Off');
		sample.host.faults.release('Save-VM');
		assert.equal((await saving).ok, false);
	}
	await sample.must('remove-machine', remove);
	assert.equal(await stateOf(sample), undefined);
});
