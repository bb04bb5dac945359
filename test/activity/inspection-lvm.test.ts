/** Groups that LVM has made, without a device mapper: it writes metadata, and what lies where is read by us. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { inspectDisks } from '../../inspection/inspect.ts';
import { parseLvmText } from '../../inspection/lvm/text.ts';
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
import { outlivesOtherBytes } from '../equipment/looked-at.ts';

const run = promisify(execFile);
const { signal } = new AbortController();
const mebibyte = 2 ** 20;

/** The disks of a group with a root file system on both, `swap` and a volume in stripes. */
async function groupDisks(t: TestContext): Promise<Buffer[]> {
	const directory = await temporaryDirectory(t);
	const paths = [join(directory, 'pv0'), join(directory, 'pv1')];
	const devices: string[] = [];
	let places: string[];
	try {
		for (const path of paths) {
			await writeFile(path, '');
			await truncate(path, 32 * mebibyte);
			devices.push((await run('losetup', ['--find', '--show', path])).stdout.trim());
		}
		places = await makeGroup(devices);
	} finally {
		for (const device of devices) await run('losetup', ['--detach', device]);
	}
	const root = await rootImage(t, 24 * mebibyte);
	const disks = await Promise.all(paths.map(path => readFile(path)));
	let at = 0;
	for (const place of places) {
		const [device = '', first = 0, last = 0] = place
			.split(/[:-]/)
			.map((part, index) => (index === 0 ? part : Number(part)));
		const bytes = (Number(last) - Number(first) + 1) * mebibyte;
		// Data begins behind 1 MiB of label and metadata.
		root.copy(disks[devices.indexOf(String(device))] ?? root, (1 + Number(first)) * mebibyte, at, at + bytes);
		at += bytes;
	}
	assert.equal(at, root.length);
	return disks;
}

/** As LVM says where: `/dev/loop0:5-20`, one for each segment of the volume `root`. */
async function makeGroup(devices: readonly string[]): Promise<string[]> {
	const [first = '', second = ''] = devices;
	const filter = [...devices.map(device => `"a|^${device}$|"`), '"r|.*|"'].join(',');
	const config = `devices { filter=[${filter}] } activation { udev_sync=0 udev_rules=0 } backup { backup=0 archive=0 }`;
	const lvm = async (command: string, ...args: string[]) =>
		(await run('lvm', [command, '--quiet', '--driverloaded', 'n', '--config', config, ...args])).stdout;
	const create = ['lvcreate', '--activate', 'n', '--zero', 'n', '--wipesignatures', 'n', '--extents'] as const;
	await lvm('vgcreate', '--physicalextentsize', '1m', 'vg-1.a', ...devices);
	await lvm(...create, '3', '--name', 'swap', 'vg-1.a', second);
	await lvm(...create, '20', '--name', 'root', 'vg-1.a', first);
	await lvm('lvextend', '--extents', '+4', 'vg-1.a/root', second);
	await lvm(...create, '2', '--stripes', '2', '--name', 'data', 'vg-1.a');
	const told = await lvm('lvs', '--segments', '--noheadings', '--options', 'seg_pe_ranges', 'vg-1.a/root');
	return told.trim().split(/\s+/);
}

async function rootImage(t: TestContext, sizeBytes: number): Promise<Buffer> {
	const directory = await temporaryDirectory(t);
	// So large that it lies on both disks.
	const filler = Object.fromEntries(
		Array.from({ length: 20 }, (_, index) => [`a${index}`, Buffer.alloc(mebibyte, index + 1)]),
	);
	await writeTree(join(directory, 'tree'), {
		...filler,
		...systemFiles({ installed: ['hv_storvsc'] }),
		[`boot/initrd.img-${kernelVersion}`]: cpioOf(initramfsFiles(['hv_vmbus'])),
		'etc/fstab': '/dev/sda1 /boot ext4\n/dev/vg-1.a/root / ext4\n',
	});
	const image = join(directory, 'image');
	await run('mke2fs', [
		'-q',
		'-F',
		'-t',
		'ext2',
		'-m',
		'0',
		'-d',
		join(directory, 'tree'),
		image,
		`${sizeBytes / 1024}K`,
	]);
	return await readFile(image);
}

async function look(disks: readonly Buffer[]) {
	const all = disks.map(disk => ({ disk: memoryDisk(disk), partitions: undefined }));
	return await inspectDisks(all, signal);
}

test('`inspectDisks` finds the system on a volume of LVM, whatever the order of its disks', async t => {
	const disks = await groupDisks(t);
	for (const order of [disks, disks.toReversed()]) {
		const { boot, failures } = await look(order);
		assert.deepEqual(failures, []);
		assert.deepEqual(boot.notLookedAt, ['LVM vg-1.a/data: a volume of the kind striped is not read']);
		assert.deepEqual(boot.deviceNames, [{ file: '/etc/fstab', device: '/dev/sda1' }]);
		assert.partialDeepStrictEqual(boot.kernels, [
			{ version: kernelVersion, modules: { hv_vmbus: { early: 'initramfs', installed: true } } },
		]);
	}
	const { boot } = await look(disks.slice(0, 1));
	assert.ok(boot.notLookedAt.includes('LVM vg-1.a/root: a disk of its group is not among those of the machine'));
	assert.deepEqual(boot.kernels, []);
});

test('`inspectDisks` comes back when any byte of the metadata of LVM is another', async t => {
	const disks = (await groupDisks(t)).map(disk => disk.subarray(0, 2 * mebibyte));
	const [first = Buffer.alloc(0), ...others] = disks;
	const places = placesWithBytes(first.subarray(0, mebibyte));
	assert.ok(places.length > 2000);
	await outlivesOtherBytes([first, ...others], { places, every: 11 });
});

test('`parseLvmText` refuses what is no such text, however deep or long, and knows no prototype', () => {
	assert.deepEqual(
		{ ...parseLvmText('a { # comment\n b = ["x\\"y", 5]\n}\nc=-1\nd = []') },
		{
			a: parseLvmText('b=["x\\"y",5]'),
			c: -1,
			d: [],
		},
	);
	const made = parseLvmText('__proto__ { polluted = 1 }\nconstructor = "x"');
	assert.equal(Object.getPrototypeOf(made), null);
	for (const text of [
		'a',
		'a =',
		'a = [',
		'a = [1',
		'a {',
		'}',
		'a = }',
		'= 1',
		'"a" = 1',
		'a = b',
		'\u0001',
		'a { '.repeat(1e5),
	])
		assert.throws(() => parseLvmText(text), { code: 'source_invalid', message: 'the metadata of LVM is damaged' });
});
