import assert from 'node:assert/strict';
import { open, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ApplianceKernel } from '../../hypervisors/hyperv/simulator/appliance-kernel.ts';
import { exists } from '../../system/if-there.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { sampleDisk } from '../equipment/stored-disk.ts';
import { qemuCheck, sevenZipContent, sevenZipTakes } from '../equipment/vhdx-judges.ts';
import { applianceId, folder, sampleHost, sampleRecovery, targetPath } from '../equipment/windows-host.ts';

const MiB = 2 ** 20;
const recoveryId = sampleRecovery;

async function attached(t: TestContext, sizeBytes = 40 * MiB) {
	let kernel: ApplianceKernel | undefined;
	const directory = await temporaryDirectory(t, async () => await kernel?.close());
	kernel = new ApplianceKernel(directory);
	const sample = await sampleHost(t, { settings: { appliance: kernel } });
	const made = await sample.ask('make-target', {
		recoveryId,
		path: targetPath,
		sizeBytes,
		whole: false,
		knownId: null,
	});
	assert.ok(made.ok);
	const { virtualDiskId } = made.result;
	const attach = () =>
		sample.must('attach-target', { recoveryId, appliance: applianceId, path: targetPath, virtualDiskId });
	await attach();
	const file = join(sample.host.root, 'D', 'Rouse', 'web01', 'target0.vhdx');
	const detach = () => sample.ask('detach-target', { recoveryId, appliance: applianceId, path: targetPath });
	return { sample, kernel, virtualDiskId, attach, detach, file };
}

const blocks = ({ roots }: ApplianceKernel) => readdir(join(roots.sys, 'block'));

async function onlyBlock(kernel: ApplianceKernel): Promise<string> {
	const [name, ...more] = await blocks(kernel);
	assert.deepEqual(more, []);
	return name ?? '';
}

async function write(path: string, content: Buffer, at: number): Promise<void> {
	await using disk = await open(path, 'r+');
	await disk.write(content, 0, content.length, at);
	await disk.datasync();
}

test('an attached target is a disk of the appliance, known by page 83; detached when that let it go, it holds what was written', async t => {
	const { kernel, virtualDiskId, attach, detach, file, sample } = await attached(t);
	const name = await onlyBlock(kernel);
	const device = join(kernel.roots.sys, 'block', name, 'device');
	const page = await readFile(join(device, 'vpd_pg83'));
	const id = virtualDiskId.replaceAll('-', '');
	const last = id.slice(16);
	assert.equal(page.toString('latin1', 8, 16), 'Msft    ');
	assert.equal(page.toString('hex', 24, 32), last, 'the last eight bytes of a GUID lie as they are written');
	assert.equal(page.toString('hex', 46, 52), last.slice(4));
	assert.equal(Number(await readFile(join(kernel.roots.sys, 'block', name, 'size'), 'utf8')), (40 * MiB) / 512);
	const content = sampleDisk(3 * MiB, 5);
	const dev = join(kernel.roots.dev, name);
	await write(dev, content, 35 * MiB);
	const refused = await detach();
	assert.equal(refused.ok ? '' : refused.error.cmdlet, 'Remove-VMHardDiskDrive');
	assert.deepEqual(await blocks(kernel), [name]);
	await attach();
	await writeFile(join(device, 'delete'), '1\n');
	await waitFor('the kernel to let it go', async () => (await blocks(kernel)).length === 0, { timeoutMs: 20_000 });
	assert.equal(await exists(dev), false);
	assert.deepEqual(await detach(), { ok: true, result: { detached: true } });
	assert.deepEqual(await detach(), { ok: true, result: { detached: false } });
	assert.ok(await sevenZipTakes(file));
	await qemuCheck(file);
	const expected = Buffer.alloc(40 * MiB);
	content.copy(expected, 35 * MiB);
	assert.ok((await sevenZipContent(file)).equals(expected));
	const removed = await sample.ask('remove-targets', {
		recoveryId,
		appliance: applianceId,
		paths: [targetPath],
		directory: folder,
	});
	assert.deepEqual(removed, { ok: true, result: { removed: 1 } });
});

test('after a boot of the host the disk is there under another name, with what was flushed', async t => {
	const { kernel, sample, file } = await attached(t);
	const name = await onlyBlock(kernel);
	const content = sampleDisk(MiB, 6);
	await write(join(kernel.roots.dev, name), content, 0);
	await sample.boot();
	const other = await onlyBlock(kernel);
	assert.notEqual(other, name);
	assert.deepEqual(await readdir(kernel.roots.dev), [other]);
	const read = Buffer.alloc(MiB);
	{
		await using disk = await open(join(kernel.roots.dev, other));
		await disk.read(read, 0, MiB, 0);
	}
	assert.ok(read.equals(content));
	await kernel.close();
	assert.ok(await sevenZipTakes(file));
});
