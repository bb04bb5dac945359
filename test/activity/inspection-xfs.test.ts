/** File systems that mkfs.xfs and the kernel make, read by us; and what is left of them when any byte is another. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, open, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import type { FileSystem } from '../../inspection/file-node.ts';
import { inspectDisks } from '../../inspection/inspect.ts';
import { find, namesAt, textAt } from '../../inspection/paths.ts';
import { openXfs } from '../../inspection/xfs/file-system.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import {
	cpioOf,
	initramfsFiles,
	kernelVersion,
	memoryDisk,
	placesWithBytes,
	systemFiles,
	writeTree,
} from '../equipment/guest-trees.ts';
import { boundedImage, contentAt, outlivesOtherBytes } from '../equipment/looked-at.ts';

const run = promisify(execFile);
const { signal } = new AbortController();
const mebibyte = 2 ** 20;

/** "PROTOTYPE FILE" of mkfs.xfs(8). */
async function prototypeOf(folder: string): Promise<string> {
	const entries = await readdir(folder, { withFileTypes: true });
	const lines = entries.map(async entry => {
		const path = join(folder, entry.name);
		if (entry.isDirectory()) return `${entry.name} d--755 0 0\n${await prototypeOf(path)}$`;
		return `${entry.name} ---644 0 0 ${path}`;
	});
	return `${(await Promise.all(lines)).join('\n')}\n`;
}

/** What a folder without links becomes when mkfs.xfs is given these options; so small ones it makes for tests alone. */
async function imageOf(t: TestContext, folder: string, options: string[], sizeMiB = 24): Promise<Buffer> {
	const directory = await temporaryDirectory(t);
	const path = join(directory, 'image');
	await writeFile(join(directory, 'prototype'), `/none\n0 0\nd--755 0 0\n${await prototypeOf(folder)}$\n`);
	await writeFile(path, '');
	await truncate(path, sizeMiB * mebibyte);
	await run('mkfs.xfs', ['--unsupported', '-q', ...options, '-p', join(directory, 'prototype'), path]);
	return await readFile(path);
}

async function opened(image: Buffer): Promise<FileSystem> {
	const fileSystem = await openXfs(boundedImage(image));
	assert.ok(fileSystem);
	return fileSystem;
}

async function guestFolder(t: TestContext): Promise<string> {
	const folder = await temporaryDirectory(t);
	await writeTree(folder, {
		...systemFiles({ builtIn: ['virtio_pci', 'virtio_blk'], installed: ['hv_vmbus', 'hv_netvsc'] }),
		[`boot/initramfs-${kernelVersion}.img`]: gzipSync(cpioOf(initramfsFiles(['hv_vmbus', 'hv_storvsc', 'sd_mod']))),
		'boot/vmlinuz-0-rescue-1234': 'kernel',
		'boot/loader/entries/1234-6.1.0.conf': 'title Linux\noptions root=/dev/nvme0n1p2 ro\n',
	});
	return folder;
}

suite('`openXfs`', () => {
	for (const options of [
		['-m', 'crc=1'],
		['-m', 'crc=0', '-n', 'ftype=0'],
		['-m', 'crc=0', '-n', 'ftype=1', '-b', 'size=1024'],
		['-b', 'size=1024', '-n', 'size=8192', '-i', 'size=512'],
		['-i', 'size=2048', '-n', 'size=65536'],
	])
		test(`reads files and directories of every form that mkfs.xfs makes: ${options.join(' ')}`, async t => {
			const folder = await temporaryDirectory(t);
			const large = Buffer.from(Array.from({ length: 300_000 }, (_, index) => String(index)).join(' '));
			await writeTree(folder, { 'usr/lib/large': large, 'usr/empty': '', 'a/b/c': 'deep' });
			const counts = { few: 3, block: 30, leaf: 400, node: 3000 };
			const names = (count: number) => Array.from({ length: count }, (_, index) => `file-with-a-long-name-${index}`);
			for (const [name, count] of Object.entries(counts)) {
				await mkdir(join(folder, name));
				for (const file of names(count)) await writeFile(join(folder, name, file), '');
			}
			const fileSystem = await opened(await imageOf(t, folder, options, 64));
			assert.ok((await contentAt(fileSystem, '/usr/lib/large')).equals(large));
			assert.equal((await contentAt(fileSystem, '/usr/empty')).length, 0);
			assert.equal(await textAt(fileSystem, '/usr/../a/b/c', 100), 'deep');
			assert.equal(await find(fileSystem, '/a/b/none'), undefined);
			for (const [name, count] of Object.entries(counts))
				assert.deepEqual(
					(await namesAt(fileSystem, `/${name}`, () => true, 5000))?.toSorted(),
					names(count).toSorted(),
				);
		});

	for (const options of [[], ['-b', 'size=1024', '-i', 'nrext64=1']])
		test(`reads what the kernel has written: extents in trees, links, holes, removed names: ${options.join(' ')}`, async t => {
			const directory = await temporaryDirectory(t);
			const image = join(directory, 'image');
			const mounted = join(directory, 'mounted');
			await writeFile(image, '');
			await truncate(image, 128 * mebibyte);
			await run('mkfs.xfs', ['--unsupported', '-q', ...options, image]);
			await mkdir(mounted);
			await run('mount', ['-o', 'loop', image, mounted]);
			const content = Buffer.alloc(6 * mebibyte);
			try {
				const file = await open(join(mounted, 'torn'), 'w');
				await file.truncate(content.length);
				for (let at = 0; at < content.length; at += 8192) {
					content.fill(`at ${at} `, at, at + 4096);
					await file.write(content, at, 4096, at);
				}
				await file.close();
				await writeTree(mounted, { 'a/b/c': 'deep' });
				await symlink('/a/./b', join(mounted, 'short'));
				await symlink(`${'./'.repeat(300)}a/b/c`, join(mounted, 'long'));
				await mkdir(join(mounted, 'many'));
				for (let index = 0; index < 2000; index++) await writeFile(join(mounted, 'many', `name-${index}`), '');
				for (let index = 0; index < 2000; index++)
					if (index % 500 !== 7) await rm(join(mounted, 'many', `name-${index}`));
			} finally {
				await run('umount', [mounted]);
			}
			const fileSystem = await opened(await readFile(image));
			assert.ok((await contentAt(fileSystem, '/torn')).equals(content));
			assert.equal(await textAt(fileSystem, '/short/c', 100), 'deep');
			assert.equal(await textAt(fileSystem, '/long', 100), 'deep');
			const left = await namesAt(fileSystem, '/many', () => true, 5000);
			assert.deepEqual(left?.toSorted(), ['name-1007', 'name-1507', 'name-507', 'name-7']);
		});
});

suite('`inspectDisks` of a disk with XFS', () => {
	test('tells kernel, modules and device names', async t => {
		const image = await imageOf(t, await guestFolder(t), []);
		const { boot, failures } = await inspectDisks([{ disk: memoryDisk(image), partitions: undefined }], signal);
		assert.deepEqual(failures, []);
		assert.deepEqual(boot.deviceNames, [{ file: '/boot/loader/entries/1234-6.1.0.conf', device: '/dev/nvme0n1p2' }]);
		assert.deepEqual(
			boot.kernels.map(({ version }) => version),
			[kernelVersion],
		);
		assert.partialDeepStrictEqual(boot.kernels[0]?.modules, {
			hv_storvsc: { early: 'initramfs', installed: true },
			hv_netvsc: { early: 'no', installed: true },
			virtio_blk: { early: 'kernel', installed: true },
		});
	});

	test('comes back within bounds when any byte of the metadata is another', async t => {
		const image = await imageOf(t, await guestFolder(t), []);
		const places = placesWithBytes(image);
		assert.ok(places.length > 2000);
		await outlivesOtherBytes([image], { places, every: 17 });
	});
});
