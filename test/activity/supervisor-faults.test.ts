/** Bad chunks, reads that wait, disks that are too small. The firmware's read of the first sector is the guest's. */
import assert from 'node:assert/strict';
import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { MountMoverControl } from '../../movers/client.ts';
import type { RecoveryView } from '../../supervisor/protocol.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { MachineIo, samplePlan, SteppedRecovery } from '../equipment/recoveries.ts';
import { packFiles, sampleDisk, type StoredDisk, storeDisk } from '../equipment/stored-disk.ts';
import { SupervisedHost } from '../equipment/supervised-host.ts';

const bytes = sampleDisk(1024 * 1024, 5);
bytes.fill('not zero, so that the first sector has a chunk', 0, 512);

async function prepare(t: TestContext) {
	const stored = await storeDisk(join(await temporaryDirectory(t), 'repository'), bytes);
	const host = await SupervisedHost.create(t);
	await host.start();
	return { stored, host, recovery: new SteppedRecovery(host, samplePlan(stored)) };
}

/** Up to the machine, which does not run yet. */
async function runUpToSnapshot(recovery: SteppedRecovery): Promise<void> {
	await recovery.chooseHardware();
	await recovery.step('allocate', { plan: recovery.plan });
	await recovery.step('create-machine', {});
	await recovery.step('start-movers', {});
	await recovery.step('snapshot', {});
}

/** Every byte of the packs, so that whichever chunk is read is bad; done again it is repaired. */
async function flipPacks({ directory }: StoredDisk): Promise<void> {
	for (const path of await packFiles(directory)) {
		const file = await open(path, 'r+');
		// Past the pack's header, in what its first chunks are stored in: pages of the map come later.
		const byte = Buffer.alloc(64);
		await file.read(byte, 0, byte.length, 256);
		await file.write(
			byte.map(value => value ^ 0x20),
			0,
			byte.length,
			256,
		);
		await file.close();
	}
}

test('a bad chunk under a guest: it stands, the chunk is named, and after the repair it goes on', async t => {
	const { stored, host, recovery } = await prepare(t);
	await flipPacks(stored);
	await runUpToSnapshot(recovery);
	await recovery.step('power-on', { on: true });
	const { blocked, power } = await recovery.viewed('blocked', view => view.blocked !== null);
	assert.equal(blocked?.code, 'chunk_bad');
	assert.match(
		blocked?.reason ?? '',
		/chunk 0 of disk0 of sample@2026-11-20T03:00:00\.000Z \(digest [0-9a-f]{64}, pack [0-9a-f]{32}\)/,
	);
	assert.equal(power, 'paused');

	await recovery.step('retry', {});
	await recovery.viewed('blocked again, as nothing was repaired', view => view.blocked !== null);
	await flipPacks(stored);
	await recovery.step('retry', {});
	await recovery.viewed('running', view => view.power === 'on' && view.blocked === null);
	const kinds = (await host.client.incidents('r1')).map(({ kind }) => kind);
	assert.ok(kinds.includes('chunk_bad'), kinds.join());
});

test('reset and power off return while reads of the guest wait for a repository that is away', async t => {
	const { stored, recovery } = await prepare(t);
	await readsWait(recovery, stored);
	await recovery.step('power', { action: 'reset' });
	await recovery.viewed('running, its read waits again', ({ power, blocked }) => power === 'on' && blocked === null);
	assert.deepEqual(await recovery.step('power', { action: 'off' }), { power: 'off' });
	await rename(awayOf(stored), stored.directory);
	assert.deepEqual(await recovery.step('power', { action: 'on' }), { power: 'on' });
	await readable(recovery);
});

test('a repository that is away under a guest is told within seconds, with since when, and so is that it is back', async t => {
	const { stored, host, recovery } = await prepare(t);
	const kinds = async () => (await host.client.incidents('r1')).map(({ kind }) => kind);
	await readsWait(recovery, stored);
	const { stalled } = await recovery.viewed('stalled', view => view.stalled !== null);
	assert.match(stalled?.reason ?? '', /^reads of the guest wait: /);
	assert.ok(Date.parse(stalled?.since ?? '') <= Date.now());
	await rename(awayOf(stored), stored.directory);
	await recovery.viewed('going on', view => view.stalled === null);
	assert.deepEqual(
		(await kinds()).filter(kind => kind.startsWith('source_')),
		['source_away', 'source_back'],
	);
	await readable(recovery);
});

test('a copy that waits for its repository says so, and goes on with it', async t => {
	const { stored, host, recovery } = await prepare(t);
	await runUpToSnapshot(recovery);
	await rename(stored.directory, awayOf(stored));
	await recovery.step('power-on', { on: false });
	await recovery.step('migrate-chunks', { maxRateBytes: 0 });
	const { stalled } = await recovery.viewed('stalled', view => view.stalled !== null);
	assert.match(stalled?.reason ?? '', /^copying waits: /);
	await rename(awayOf(stored), stored.directory);
	await recovery.viewed('restored', view => view.stalled === null && view.restored);
	const kinds = (await host.client.incidents('r1')).map(({ kind }) => kind);
	assert.deepEqual(kinds, ['source_away', 'source_back']);
});

test('a guest that resets itself while its read waits freezes the monitors until the supervisor fails the read', async t => {
	const { stored, host, recovery } = await prepare(t);
	await readsWait(recovery, stored);
	const io = await MachineIo.open(recovery);
	await io.execute('system_reset');
	await waitFor(
		'the incident',
		async () => (await host.client.incidents('r1')).some(({ kind }) => kind === 'reads_failed'),
		{ timeoutMs: 20_000 },
	);
	await rename(awayOf(stored), stored.directory);
	await recovery.viewed('running', ({ power, blocked }: RecoveryView) => power === 'on' && blocked === null);
	io.close();
	await readable(recovery);
});

test('a disk larger than the space that is free is refused with the numbers, and nothing is allocated', async t => {
	const { recovery } = await prepare(t);
	await recovery.chooseHardware();
	const [image] = recovery.plan.disks;
	assert.ok(image);
	const plan = { ...recovery.plan, allocate: 'start' as const, disks: [{ ...image, sizeBytes: 2 ** 50 }] };
	await assert.rejects(recovery.step('allocate', { plan }), (error: { code: string; message: string }) => {
		assert.equal(error.code, 'space_short');
		assert.match(error.message, /1\.00 PiB needed for its disk, [\d.]+ \w+ free/);
		return true;
	});
	await recovery.step('discard', {});
});

const awayOf = ({ directory }: StoredDisk) => `${directory}-away`;

/** The guest runs, and its read of the first sector waits for a repository that is away. */
async function readsWait(recovery: SteppedRecovery, stored: StoredDisk): Promise<void> {
	await recovery.run();
	await rename(stored.directory, awayOf(stored));
	// With it goes what it has in its memory.
	const mount = (await recovery.view()).movers.find(({ kind }) => kind === 'mount');
	assert.ok(mount?.pid);
	process.kill(mount.pid, 'SIGKILL');
	const { runDirectory } = recovery.host.installation;
	const control = new MountMoverControl(join(runDirectory, recovery.recoveryId.slice(0, 8), 'mount.sock'));
	await recovery.viewed('another mount mover', view =>
		view.movers.some(({ kind, pid }) => kind === 'mount' && pid !== null && pid !== mount.pid),
	);
	await waitFor(
		'it to answer',
		() =>
			control.state().then(
				() => true,
				() => false,
			),
		{ timeoutMs: 20_000 },
	);
	await recovery.step('power', { action: 'reset' });
	await waitFor('a read to wait', async () => (await control.state()).waitingReads > 0, { timeoutMs: 30_000 });
}

/** The first sector can be read through the machine. */
async function readable(recovery: SteppedRecovery): Promise<void> {
	const io = await MachineIo.open(recovery);
	await io.verify(0, 1, 'n'.charCodeAt(0));
	io.close();
}
