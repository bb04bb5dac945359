/** File systems that mke2fs makes, read by us; and what is left of them when any byte is another. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { openExt4 } from '../../inspection/ext4/file-system.ts';
import type { FileSystem } from '../../inspection/file-node.ts';
import { inspectDisks } from '../../inspection/inspect.ts';
import { find, namesAt, textAt } from '../../inspection/paths.ts';
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

/** What a folder becomes when mke2fs is given these options. */
async function imageOf(t: TestContext, folder: string, options: string[], size = '16M'): Promise<Buffer> {
	const path = join(await temporaryDirectory(t), 'image');
	await run('mke2fs', ['-q', '-F', '-d', folder, ...options, path, size]);
	return await readFile(path);
}

async function opened(image: Buffer): Promise<FileSystem> {
	const fileSystem = await openExt4(boundedImage(image));
	assert.ok(fileSystem);
	return fileSystem;
}

/** A system that boots on Hyper-V from its initramfs, and knows its disk by a name. */
async function guestFolder(t: TestContext): Promise<string> {
	const folder = await temporaryDirectory(t);
	await writeTree(folder, {
		...systemFiles({ builtIn: ['virtio_pci', 'virtio_blk'], installed: ['hv_vmbus', 'hv_netvsc'] }),
		[`boot/initrd.img-${kernelVersion}`]: gzipSync(cpioOf(initramfsFiles(['hv_vmbus', 'hv_storvsc', 'sd_mod']))),
		'etc/fstab': 'UUID=1 / ext4 defaults 0 1\n/dev/vdb1 /data ext4 defaults 0 2\n',
	});
	return folder;
}

suite('`openExt4` of what mke2fs has made', () => {
	for (const options of [
		['-t', 'ext2'],
		['-t', 'ext3', '-b', '1024'],
		['-t', 'ext4'],
		['-t', 'ext4', '-b', '1024'],
		['-t', 'ext4', '-O', '^64bit,^extents', '-I', '128'],
		['-t', 'ext4', '-b', '65536', '-N', '4000'],
		['-t', 'ext4', '-O', 'metadata_csum_seed,large_dir,bigalloc'],
	])
		test(`reads files, large and sparse, links and large directories: ${options.join(' ')}`, async t => {
			const folder = await temporaryDirectory(t);
			// Beyond what an inode of ext2 points to by itself and by one block of pointers.
			const large = Buffer.from(Array.from({ length: 400_000 }, (_, index) => String(index)).join(' '));
			await writeTree(folder, { 'usr/lib/large': large, 'usr/empty': '', 'a/b/c': 'deep' });
			await symlink('usr/lib', join(folder, 'lib'));
			await symlink('/a/b', join(folder, 'usr/short'));
			await symlink(`${'./'.repeat(60)}../../a/b/c`, join(folder, 'usr/lib/long'));
			await symlink('loop', join(folder, 'loop'));
			await writeFile(join(folder, 'sparse'), 'start');
			await truncate(join(folder, 'sparse'), 5_000_000);
			await mkdir(join(folder, 'many'));
			const names = Array.from({ length: 3000 }, (_, index) => `file-with-a-long-name-${index}`);
			for (const name of names) await writeFile(join(folder, 'many', name), '');
			const fileSystem = await opened(await imageOf(t, folder, ['-N', '6000', ...options], '64M'));
			assert.ok((await contentAt(fileSystem, '/lib/large')).equals(large));
			assert.equal((await contentAt(fileSystem, '/usr/empty')).length, 0);
			assert.equal(await textAt(fileSystem, '/usr/short/c', 100), 'deep');
			assert.equal(await textAt(fileSystem, '/usr/lib/long', 100), 'deep');
			assert.equal(await textAt(fileSystem, '/../a/./b/../b/c', 100), 'deep');
			const sparse = await contentAt(fileSystem, '/sparse');
			assert.deepEqual([sparse.length, sparse.subarray(0, 5).toString()], [5_000_000, 'start']);
			assert.ok(sparse.subarray(5).every(byte => byte === 0));
			assert.deepEqual((await namesAt(fileSystem, '/many', () => true, 5000))?.toSorted(), names.toSorted());
			assert.equal(await find(fileSystem, '/a/b/none'), undefined);
			assert.equal(await find(fileSystem, '/a/b/c/none'), undefined);
			await assert.rejects(find(fileSystem, '/loop'), { code: 'source_invalid', message: /more than 16 links/ });
			await assert.rejects(textAt(fileSystem, '/lib/large', 1000), { code: 'source_invalid' });
		});

	test('refuses a feature that is not known here, and a file that keeps its data in its inode', async t => {
		const folder = await guestFolder(t);
		await assert.rejects(opened(await imageOf(t, folder, ['-t', 'ext4', '-O', 'meta_bg,^resize_inode'])), {
			code: 'source_invalid',
			message: 'ext4 with features that are not known here: 0x10',
		});
		await writeFile(join(folder, 'small'), 'small');
		const inline = await opened(await imageOf(t, folder, ['-t', 'ext4', '-O', 'inline_data', '-I', '256']));
		await assert.rejects(textAt(inline, '/small', 100), { code: 'source_invalid', message: /data in its inode/ });
	});
});

suite('`inspectDisks` of a disk with ext4', () => {
	test('tells kernel, modules and device names', async t => {
		const image = await imageOf(t, await guestFolder(t), ['-t', 'ext4']);
		const { boot, failures } = await inspectDisks([{ disk: memoryDisk(image), partitions: undefined }], signal);
		assert.deepEqual(failures, []);
		assert.deepEqual(boot.deviceNames, [{ file: '/etc/fstab', device: '/dev/vdb1' }]);
		assert.deepEqual(boot.notLookedAt, []);
		assert.equal(boot.kernels[0]?.version, kernelVersion);
		assert.partialDeepStrictEqual(boot.kernels[0]?.modules, {
			hv_storvsc: { early: 'initramfs', installed: true },
			hv_netvsc: { early: 'no', installed: true },
			virtio_blk: { early: 'kernel', installed: true },
			ahci: { early: 'no', installed: false },
		});
	});

	test('reads no more than it is allowed to, takes no longer, and tells that', async t => {
		const image = await imageOf(t, await guestFolder(t), ['-t', 'ext4']);
		const disk = memoryDisk(image);
		const partitions = undefined;
		const few = await inspectDisks([{ disk, partitions }], signal, { mostBytes: 100_000, timeoutMs: 60_000 });
		assert.ok(disk.readBytes() <= 100_000);
		assert.deepEqual(few.failures, ['the rest: more than 97.6 KiB would have to be read']);
		const hanging = {
			...disk,
			read: async (at: number, into: Buffer, until: AbortSignal) => {
				if (at > 0) await new Promise((_, reject) => until.addEventListener('abort', () => reject(until.reason)));
				await disk.read(at, into, until);
			},
		};
		const late = await inspectDisks([{ disk: hanging, partitions }], signal, { mostBytes: 2 ** 30, timeoutMs: 50 });
		assert.deepEqual(late.failures, ['the rest: it took longer than 0.05 s']);
		const aborted = new AbortController();
		const looking = inspectDisks([{ disk: hanging, partitions }], aborted.signal);
		aborted.abort(new Error('by hand'));
		await assert.rejects(looking, { message: 'by hand' });
	});

	for (const options of [
		['-t', 'ext2', '-b', '1024'],
		['-t', 'ext4', '-b', '1024'],
	])
		test(`comes back within bounds when any byte of the metadata is another: ${options.join(' ')}`, async t => {
			const image = await imageOf(t, await guestFolder(t), options, '1M');
			const places = placesWithBytes(image);
			assert.ok(places.length > 2000);
			await outlivesOtherBytes([image], { places, every: 5 });
		});
});
