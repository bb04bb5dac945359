import assert from 'node:assert/strict';
import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, suite, test } from 'node:test';
import { awaitDisk, type DeviceRoots, letGo, syncDisk } from '../../hypervisors/hyperv/scsi-disks.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { hypervPage83 } from '../equipment/hyperv-page-83.ts';

const id = '5c3e9a10-0b7d-4f21-8a3c-1d2e3f405162';
const otherId = '5c3e9a10-0b7d-4f21-8a3c-1d2e3f405163';
const wanted = { virtualDiskId: id, sizeBytes: 4096 };

/** What sysfs shows: links of block devices, some of which are no SCSI disks. */
async function rootsWith(t: TestContext, disks: Record<string, { id: string; sectors: number }>) {
	const root = await temporaryDirectory(t);
	const roots: DeviceRoots = { sys: join(root, 'sys'), dev: join(root, 'dev') };
	await mkdir(join(roots.sys, 'block', 'loop0'), { recursive: true });
	await mkdir(roots.dev);
	for (const [name, disk] of Object.entries(disks)) {
		const device = join(root, 'devices', name, 'device');
		await mkdir(device, { recursive: true });
		await writeFile(join(device, 'vpd_pg83'), hypervPage83(disk.id));
		await writeFile(join(device, 'delete'), '');
		await writeFile(join(root, 'devices', name, 'size'), `${disk.sectors}\n`);
		await writeFile(join(roots.dev, name), '');
		await symlink(join(root, 'devices', name), join(roots.sys, 'block', name));
	}
	return roots;
}

suite('`awaitDisk`', () => {
	test('finds a disk by what it says of itself, under whatever name', async t => {
		const roots = await rootsWith(t, { sda: { id: otherId, sectors: 8 }, sdq: { id, sectors: 8 } });
		assert.equal(await awaitDisk(roots, wanted, {}), join(roots.dev, 'sdq'));
	});

	test('waits for one that the kernel does not know yet, or has not read the size of', async t => {
		const roots = await rootsWith(t, { sda: { id, sectors: 0 } });
		const found = awaitDisk(roots, wanted, {});
		await writeFile(join(roots.sys, 'block', 'sda', 'size'), '8\n');
		assert.equal(await found, join(roots.dev, 'sda'));
	});

	test('throws `identity_conflict` when two say they are it, and for another size', async t => {
		const two = await rootsWith(t, { sda: { id, sectors: 8 }, sdb: { id, sectors: 8 } });
		await assert.rejects(awaitDisk(two, wanted, {}), { code: 'identity_conflict' });
		const larger = await rootsWith(t, { sda: { id, sectors: 16 } });
		await assert.rejects(awaitDisk(larger, wanted, {}), { code: 'identity_conflict' });
	});

	test('ends with its signal', async t => {
		const roots = await rootsWith(t, {});
		const reason = new Error('aborted');
		await assert.rejects(awaitDisk(roots, wanted, { signal: AbortSignal.abort(reason) }), reason);
	});
});

suite('`letGo`', () => {
	test('tells the kernel of the one disk and of no other, and waits until that is gone', async t => {
		const roots = await rootsWith(t, { sda: { id: otherId, sectors: 8 }, sdb: { id, sectors: 8 } });
		const told = (name: string) => readFile(join(roots.sys, 'block', name, 'device', 'delete'), 'latin1');
		await syncDisk(roots, id);
		let isGone = false;
		const gone = letGo(roots, id).then(() => assert.ok(isGone, 'it did not wait'));
		await waitFor('the kernel to be told', async () => (await told('sdb')) === '1\n', { timeoutMs: 10_000 });
		assert.equal(await told('sda'), '');
		isGone = true;
		await rm(join(roots.sys, 'block', 'sdb'));
		await gone;
	});

	test('finds nothing to do where the disk is not', async t => {
		const roots = await rootsWith(t, {});
		await syncDisk(roots, id);
		await letGo(roots, id);
	});
});
