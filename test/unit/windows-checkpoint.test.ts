/** Overlays by checkpoint at the simulated host: their placeholder, their making, and how they are merged. */
import assert from 'node:assert/strict';
import { rename } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import type { RequestOf } from '../../hypervisors/hyperv/driver/requests.ts';
import { checkpointVm } from '../../hypervisors/hyperv/simulator/cmdlets/checkpoint.ts';
import { removeVm } from '../../hypervisors/hyperv/simulator/cmdlets/vm.ts';
import { setVhdParent } from '../../hypervisors/hyperv/simulator/cmdlets/vhd.ts';
import { SessionDropped } from '../../hypervisors/hyperv/simulator/faults.ts';
import type { Vm } from '../../hypervisors/hyperv/simulator/state.ts';
import { exists } from '../../system/if-there.ts';
import { placeOf } from '../../hypervisors/hyperv/simulator/windows-paths.ts';
import { waitFor } from '../../system/wait.ts';
import {
	basePath,
	connect,
	folder,
	refuses,
	reparent,
	type SampleHost,
	sampleHost,
	sampleRecovery,
	slot,
	targetPath,
} from '../equipment/windows-host.ts';

const recoveryId = sampleRecovery;
const MiB = 2 ** 20;
const placePath = `${folder}\\disk0.vhdx`;
const keptPath = `${folder}\\disk0.placeholder.vhdx`;
const put = (to: 'place' | 'own') =>
	({ recoveryId, target: targetPath, place: placePath, kept: keptPath, to }) as const;
const isThere = ({ host }: SampleHost, path: string) => exists(placeOf(host.root, path));
const moved = ({ host }: SampleHost, from: string, to: string) =>
	rename(placeOf(host.root, from), placeOf(host.root, to));
const there = (sample: SampleHost) => Promise.all([targetPath, placePath, keptPath].map(path => isThere(sample, path)));

interface Made {
	sample: SampleHost;
	diskId: string;
	overlay: string;
	/** Where the machine is to stand. */
	on(this: void, parent: string, awaited?: string | null): RequestOf<'start'>['disks'];
}

const target: RequestOf<'make-target'> = {
	recoveryId,
	path: targetPath,
	sizeBytes: 8 * MiB,
	whole: false,
	knownId: null,
	placeholder: placePath,
};

/** With a target and a machine. */
async function ready(t: TestContext): Promise<{ sample: SampleHost; diskId: string }> {
	const sample = await sampleHost(t);
	const answer = await sample.ask('make-target', target);
	assert.ok(answer.ok);
	const diskId = answer.result.virtualDiskId;
	await sample.must('create-machine', {
		recoveryId,
		name: 'web01',
		directory: folder,
		generation: 2,
		memoryMiB: 1024,
		processors: 2,
		secureBoot: 'Off',
		nics: [],
		pipe: '\\\\.\\pipe\\rouse-7b0f5a52',
	});
	await connect(sample);
	return { sample, diskId };
}

/** And its checkpoint, which stands on the placeholder still. */
async function made(t: TestContext): Promise<Made> {
	const { sample, diskId } = await ready(t);
	const [overlay = ''] = await checkpoint(sample, diskId);
	return { sample, diskId, overlay, on: (parent, awaited = null) => [{ leaf: overlay, parent, awaited }] };
}

async function checkpoint(sample: SampleHost, placeholderId: string): Promise<string[]> {
	const disks = [{ placeholder: placePath, base: basePath, placeholderId, slot }];
	const answer = await sample.ask('make-checkpoint', { recoveryId, disks });
	assert.ok(answer.ok, JSON.stringify(answer));
	return answer.result.overlays;
}

/** On the target in its place, with a write of its guest that nothing but its overlay has. */
async function switched(t: TestContext): Promise<Made & { written: Buffer }> {
	const state = await made(t);
	const { sample, diskId, overlay, on } = state;
	await sample.must('put-target', put('place'));
	await sample.must('reparent', reparent(diskId, { overlay, from: [placePath], parent: placePath }));
	await sample.must('start', { recoveryId, disks: on(placePath, targetPath) });
	const written = Buffer.alloc(2 * MiB, 7);
	await sample.host.guest(recoveryId).write(0, MiB, written);
	await sample.host.guest(recoveryId).flush();
	return { ...state, written };
}

const removal = (disks: RequestOf<'start'>['disks']) => ({ recoveryId, disks, kept: [keptPath], directory: folder });

const mergeHeld = ({ host }: SampleHost) =>
	waitFor('the merge to begin', async () => host.faults.heldAt('merge piece') > 0, { timeoutMs: 10_000 });

function machineOf({ host }: SampleHost): Vm {
	const [vm] = host.parts.state.vms;
	assert.ok(vm);
	return vm;
}

async function filesOf({ ask }: SampleHost): Promise<string[]> {
	const answer = await ask('chain', { recoveryId });
	assert.ok(answer.ok, JSON.stringify(answer));
	return answer.result.disks.flatMap(({ files }) => files.map(({ path }) => path));
}

test('`make-target` makes a placeholder with the same identity, before the target, also when the session broke between them', async t => {
	const sample = await sampleHost(t);
	for (const point of ['Copy-Item done', 'Move-Item done']) {
		sample.host.faults.at(point, { kind: 'drop' });
		await assert.rejects(sample.ask('make-target', target), SessionDropped);
		assert.equal(await isThere(sample, targetPath), false);
	}
	const answer = await sample.ask('make-target', target);
	assert.ok(answer.ok && answer.result.placeholderDataId);
	const knownId = answer.result.virtualDiskId;
	const again = await sample.ask('make-target', { ...target, knownId });
	assert.deepEqual(again, { ok: true, result: { ...answer.result, made: false } });
	const placeholder = await sample.ask('make-target', { ...target, path: placePath, knownId, placeholder: null });
	assert.ok(placeholder.ok, 'the placeholder is another disk');
	await sample.rewrite(placePath);
	const rewritten = await sample.ask('make-target', { ...target, knownId });
	assert.ok(rewritten.ok && rewritten.result.placeholderDataId !== answer.result.placeholderDataId);
});

test('`make-checkpoint` done again finds its own, whose type is disabled afterwards, and refuses what is over it', async t => {
	const { sample, diskId, overlay, on } = await made(t);
	assert.match(overlay, /\\disk0_[\dA-F-]{36}\.avhdx$/);
	assert.deepEqual(await checkpoint(sample, diskId), [overlay]);
	const seen = await sample.ask('observe', { recoveryId });
	assert.ok(seen.ok && seen.result?.hasOwnCheckpoint && seen.result.checkpoints === 0);
	const vm = machineOf(sample);
	assert.match(vm.notes, /^Do not apply or delete the checkpoint rouse-/m);
	await assert.rejects(checkpointVm(sample.host.parts, vm, 'x'), { message: /disabled/ });
	await refuses(sample, 'chain_unexpected', 'start', { recoveryId, disks: on(placePath, targetPath) });
	const onBase = reparent(sample.baseId, { overlay, from: [placePath, basePath], parent: basePath });
	await refuses(sample, '0xC03A000E', 'reparent', { ...onBase, idsMayDiffer: false });
	await sample.must('reparent', onBase);
	assert.deepEqual(await checkpoint(sample, diskId), [overlay]);
	await sample.must('start', { recoveryId, disks: on(basePath) });
	await sample.must('power', { recoveryId, action: 'turn-off' });
	await sample.host.addCheckpoint(recoveryId);
	const disks = [{ placeholder: placePath, base: basePath, placeholderId: diskId, slot }];
	await refuses(sample, 'chain_unexpected', 'make-checkpoint', { recoveryId, disks });
	const other = await sample.ask('observe', { recoveryId });
	assert.ok(other.ok && other.result?.hasOwnCheckpoint && other.result.checkpoints === 1);
});

const ourName = `rouse-${recoveryId}`;

for (const point of ['Checkpoint-VM', 'Checkpoint-VM naming', 'Checkpoint-VM done', 'Set-VM done'])
	test(`a checkpoint whose host loses its power at ${point} is there once under its name, and allows no others`, async t => {
		const { sample, diskId } = await ready(t);
		sample.host.faults.at(point, { kind: 'power-loss' });
		await assert.rejects(checkpoint(sample, diskId), SessionDropped);
		await sample.boot();
		await checkpoint(sample, diskId);
		const { checkpoints, checkpointType } = machineOf(sample);
		assert.deepEqual([checkpoints, checkpointType], [[ourName], 'Disabled']);
	});

/** With a checkpoint whose maker died before it had its name. */
async function unnamed(t: TestContext): Promise<{ sample: SampleHost; diskId: string; vm: Vm }> {
	const { sample, diskId } = await ready(t);
	sample.host.faults.at('Checkpoint-VM naming', { kind: 'drop' });
	await assert.rejects(checkpoint(sample, diskId), SessionDropped);
	const vm = machineOf(sample);
	assert.match(vm.checkpoints.join('\n'), /^web01 - \(.+ - .+\)$/);
	return { sample, diskId, vm };
}

test('a checkpoint without its name gets it, also when the session breaks before and after that', async t => {
	const { sample, diskId, vm } = await unnamed(t);
	const leaves = vm.drives.map(({ path }) => path);
	for (const point of ['Rename-VMSnapshot', 'Rename-VMSnapshot done']) {
		sample.host.faults.at(point, { kind: 'drop' });
		await assert.rejects(checkpoint(sample, diskId), SessionDropped);
	}
	assert.deepEqual(await checkpoint(sample, diskId), leaves);
	assert.deepEqual([vm.checkpoints, vm.checkpointType], [[ourName], 'Disabled']);
});

const strangers: Readonly<Record<string, (sample: SampleHost, vm: Vm) => Promise<unknown>>> = {
	'somebody has named': async (_sample, vm) => (vm.checkpoints = ['before the update']),
	'is of a machine that was to have none': async (_sample, vm) =>
		(vm.notes = vm.notes.replace(/^Do not apply.*$/m, '')),
	'has another beside it': ({ host }) => host.addCheckpoint(recoveryId),
	'has a disk that is not on its placeholder': ({ host }, { drives: [drive] }) =>
		setVhdParent(host.parts, { path: drive?.path ?? '', parent: basePath, ignoreIdMismatch: true }),
	'has a disk that is not asked for': async (_sample, { drives }) =>
		drives.push({ slot: { ...slot, location: 1 }, path: `${folder}\\of-somebody.vhdx` }),
};
for (const [what, change] of Object.entries(strangers))
	test(`a checkpoint without its name that ${what} is left as it is, and \`chain_unexpected\``, async t => {
		const { sample, diskId, vm } = await unnamed(t);
		await change(sample, vm);
		const known = [...vm.checkpoints];
		const disks = [{ placeholder: placePath, base: basePath, placeholderId: diskId, slot }];
		await refuses(sample, 'chain_unexpected', 'make-checkpoint', { recoveryId, disks });
		assert.deepEqual(vm.checkpoints, known);
	});

test('`remove-machine` takes the overlay of a checkpoint without its name before the machine, too', async t => {
	const { sample, vm } = await unnamed(t);
	await sample.must('remove-machine', { recoveryId, overlays: [], directory: folder });
	assert.equal(await isThere(sample, vm.drives[0]?.path ?? ''), false);
	assert.deepEqual(await there(sample), [true, true, false]);
});

for (const point of ['Replace', 'Replace half', 'Replace done'])
	test(`a target that is put in its place, or back, is there when the power goes at ${point} and it is asked again`, async t => {
		const { sample } = await made(t);
		for (const [to, wanted] of [
			['place', [false, true, true]],
			['own', [true, true, false]],
		] as const) {
			sample.host.faults.at(point, { kind: 'power-loss' });
			await assert.rejects(sample.ask('put-target', put(to)), SessionDropped);
			await sample.boot();
			await sample.must('put-target', put(to));
			assert.deepEqual(await there(sample), wanted);
			assert.deepEqual(await sample.ask('put-target', put(to)), { ok: true, result: { changed: false } });
		}
	});

test('`put-target` refuses what has them open, and a target that is nowhere; of a machine that is gone a merged one comes back', async t => {
	const { sample, on } = await switched(t);
	const merged = (to: 'place' | 'own') => ({ ...put(to), merged: true });
	await refuses(sample, 'state_wrong', 'put-target', put('own'));
	await sample.must('remove-checkpoint', removal(on(placePath, targetPath)));
	await sample.host.untilMerged();
	await refuses(sample, 'chain_unexpected', 'put-target', put('place'));
	assert.deepEqual(await sample.ask('put-target', merged('place')), { ok: true, result: { changed: false } });
	await refuses(sample, 'chain_unexpected', 'put-target', merged('own'));
	await moved(sample, placePath, `${folder}\\of-its-owner.vhdx`);
	await refuses(sample, 'chain_unexpected', 'put-target', put('place'));
	assert.deepEqual(await sample.ask('put-target', merged('place')), { ok: true, result: { changed: false } });
	await moved(sample, `${folder}\\of-its-owner.vhdx`, placePath);
	await sample.must('remove-machine', { recoveryId, overlays: [], directory: folder });
	await refuses(sample, 'chain_unexpected', 'put-target', put('own'));
	for (const changed of [true, false])
		assert.deepEqual(await sample.ask('put-target', merged('own')), { ok: true, result: { changed } });
	assert.deepEqual(await there(sample), [true, false, false]);
	await refuses(sample, 'chain_unexpected', 'put-target', put('place'));
});

test('`reparent` refuses the placeholder while the target is under its own name, also with the identity of that', async t => {
	const { sample, diskId, overlay } = await made(t);
	await sample.must('reparent', reparent(sample.baseId, { overlay, from: [placePath], parent: basePath }));
	const onTarget = reparent(diskId, { overlay, from: [basePath], parent: placePath, awaited: targetPath });
	await refuses(sample, 'chain_unexpected', 'reparent', onTarget);
	await sample.must('put-target', put('place'));
	assert.deepEqual(await sample.ask('reparent', onTarget), { ok: true, result: { changed: true } });
});

test('`remove-checkpoint` of a machine that runs leaves it running on its target alone, with every write', async t => {
	const { sample, on, written } = await switched(t);
	const guest = sample.host.guest(recoveryId);
	sample.host.faults.at('merge piece', { kind: 'hold' });
	await sample.must('remove-checkpoint', removal(on(placePath, targetPath)));
	await mergeHeld(sample);
	const meanwhile = Buffer.alloc(512, 9);
	await guest.write(0, MiB, meanwhile);
	await guest.flush();
	await guest.write(0, 0, meanwhile);
	sample.host.faults.release('merge piece');
	await sample.host.untilMerged();
	assert.deepEqual(await filesOf(sample), [placePath]);
	assert.deepEqual(await there(sample), [false, true, false]);
	const { boot } = guest;
	await guest.flush();
	await sample.must('power', { recoveryId, action: 'save' });
	await sample.must('start', { recoveryId, disks: [{ leaf: placePath, parent: null, awaited: targetPath }] });
	assert.equal(guest.boot, boot);
	written.set(meanwhile);
	assert.ok((await guest.read(0, MiB, written.length)).equals(written));
	assert.ok((await guest.read(0, 0, 512)).equals(meanwhile));
	assert.deepEqual(await sample.ask('remove-checkpoint', removal([{ leaf: placePath, parent: null }])), {
		ok: true,
		result: { removed: false },
	});
});

test('what a removed checkpoint has left is merged by Windows after its power loss, also of a machine that was turned off', async t => {
	const { sample, on, written } = await switched(t);
	sample.host.faults.at('merge piece', { kind: 'hold' });
	await sample.must('remove-checkpoint', removal(on(placePath, targetPath)));
	await mergeHeld(sample);
	await sample.must('power', { recoveryId, action: 'turn-off' });
	sample.host.faults.at('merge piece', { kind: 'power-loss' });
	sample.host.faults.release('merge piece');
	await sample.host.untilMerged();
	await sample.boot();
	await sample.host.untilMerged();
	assert.deepEqual(await filesOf(sample), [placePath]);
	await sample.must('start', { recoveryId, disks: [{ leaf: placePath, parent: null }] });
	assert.ok((await sample.host.guest(recoveryId).read(0, MiB, written.length)).equals(written));
});

test('a checkpoint is not removed of a saved machine, nor while a disk stands on another than is said', async t => {
	const { sample, on } = await switched(t);
	await refuses(sample, 'chain_unexpected', 'remove-checkpoint', removal(on(basePath)));
	await sample.must('power', { recoveryId, action: 'save' });
	await refuses(sample, 'state_wrong', 'remove-checkpoint', removal(on(placePath, targetPath)));
	assert.deepEqual(await there(sample), [false, true, true]);
});

test('`remove-machine` takes the overlays before the machine, whose checkpoints Windows would merge', async t => {
	const { sample, overlay } = await switched(t);
	await sample.must('remove-machine', { recoveryId, overlays: [], directory: folder });
	assert.equal(await isThere(sample, overlay), false);
	assert.equal(await isThere(sample, placePath), true);
});

test('`remove-machine` is `busy` while Windows merges, also when somebody has removed the machine, and leaves nothing afterwards', async t => {
	const { sample, on, overlay } = await switched(t);
	const { host } = sample;
	host.faults.at('merge piece', { kind: 'hold' });
	await sample.must('remove-checkpoint', removal(on(placePath, targetPath)));
	await mergeHeld(sample);
	const removing = { recoveryId, overlays: [], directory: folder };
	await refuses(sample, 'busy', 'remove-machine', removing);
	const observed = await sample.ask('observe', { recoveryId });
	assert.equal(observed.ok && observed.result?.state, 'Off');
	await removeVm(host.parts, machineOf(sample));
	await refuses(sample, 'busy', 'remove-machine', removing);
	await refuses(sample, '0x80070020', 'put-target', { ...put('own'), merged: true });
	host.faults.release('merge piece');
	await host.untilMerged();
	await sample.must('remove-machine', removing);
	assert.equal(await isThere(sample, overlay), false);
	await sample.must('put-target', { ...put('own'), merged: true });
	assert.deepEqual(await there(sample), [true, false, false]);
});
