/** Tables that sfdisk has made, and where in them a system is found. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { Allowance, boundedDisk } from '../../inspection/bounded-disk.ts';
import { inspectDisks } from '../../inspection/inspect.ts';
import { partitionsOf } from '../../inspection/partitions.ts';
import { readPartitionTable } from '../../sources/partition-table.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { cpioOf, initramfsFiles, kernelVersion, memoryDisk, systemFiles, writeTree } from '../equipment/guest-trees.ts';

const run = promisify(execFile);
const { signal } = new AbortController();
const mebibyte = 2 ** 20;
const sizeBytes = 64 * mebibyte;

/** A disk with these partitions, in the words of sfdisk(8). */
async function partitioned(t: TestContext, script: readonly string[]): Promise<{ path: string; disk: Buffer }> {
	const path = join(await temporaryDirectory(t), 'disk');
	await writeFile(path, '');
	await truncate(path, sizeBytes);
	const sfdisk = run('sfdisk', ['--quiet', path]);
	sfdisk.child.stdin?.end(`${script.join('\n')}\n`);
	await sfdisk;
	return { path, disk: await readFile(path) };
}

const logical = [
	'label: dos',
	'1: size=4M, type=83',
	'2: size=50M, type=5',
	'5: size=8M, type=83',
	'6: size=8M, type=83',
	'7: type=82',
];
const gpt = ['label: gpt', 'size=4M, type=U', 'size=20M, type=L', 'type=L'];

async function volumesOf(disk: Buffer) {
	const source = { ...memoryDisk(disk), close: async () => {}, async *extents() {} };
	const table = await readPartitionTable(source, signal);
	const volume = boundedDisk(source, 'disk0', new Allowance(2 ** 30, signal));
	return { table, volumes: await partitionsOf(volume, table?.partitions) };
}

test('`partitionsOf` finds the partitions that sfdisk tells of, logical ones as well', async t => {
	for (const script of [logical, gpt]) {
		const { path, disk } = await partitioned(t, script);
		const told = JSON.parse((await run('sfdisk', ['--json', path])).stdout);
		const expected = told.partitiontable.partitions
			.filter(({ type }: { type: string }) => type !== '5')
			.map(({ node, size }: { node: string; size: number }) => [
				`disk0 partition ${node.slice(path.length)}`,
				size * 512,
			]);
		const { volumes } = await volumesOf(disk);
		assert.deepEqual(
			volumes.map(volume => [volume.name, volume.sizeBytes]),
			expected,
		);
	}
});

test('`partitionsOf` of logical partitions that lead in a circle, or out of the disk, comes to an end', async t => {
	const { disk } = await partitioned(t, logical);
	const { table } = await volumesOf(disk);
	const extended = table?.partitions.find(({ type }) => type === '0x05')?.startBytes ?? 0;
	for (const next of [0, 1, 2, 0xffff_ffff]) {
		// The second entry of the first record: where the next one is.
		const at = extended + 462 + 8;
		const right = disk.readUInt32LE(at);
		disk.writeUInt32LE(next, at);
		assert.ok((await volumesOf(disk)).volumes.length <= 5);
		disk.writeUInt32LE(right, at);
	}
	for (let at = extended + 446; at < extended + 512; at++) {
		const right = disk.readUInt8(at);
		disk.writeUInt8(right ^ 0xff, at);
		assert.ok((await volumesOf(disk)).volumes.length <= 64);
		disk.writeUInt8(right, at);
	}
});

test('`inspectDisks` finds a kernel on one partition and its modules on another, and says where it could not look', async t => {
	const { path, disk } = await partitioned(t, logical);
	const { volumes, table } = await volumesOf(disk);
	assert.equal(volumes.length, 4);
	const told: { start: number; type: string }[] = JSON.parse((await run('sfdisk', ['--json', path])).stdout)
		.partitiontable.partitions;
	const [, boot = 0, root = 0] = told.filter(({ type }) => type === '83').map(({ start }) => start * 512);
	const { [`boot/vmlinuz-${kernelVersion}`]: kernel = '', ...modules } = systemFiles({
		builtIn: ['hv_vmbus'],
		installed: ['hv_storvsc'],
	});
	const trees = [
		[
			boot,
			{ [`vmlinuz-${kernelVersion}`]: kernel, [`initrd.img-${kernelVersion}`]: cpioOf(initramfsFiles(['sd_mod'])) },
		],
		[root, { ...modules, 'etc/fstab': 'LABEL=a / ext4\n' }],
	] as const;
	for (const [offset, files] of trees) {
		const tree = await temporaryDirectory(t);
		await writeTree(tree, files);
		const options = ['-q', '-F', '-t', 'ext4', '-d', tree, '-E', `offset=${offset}`];
		await run('mke2fs', [...options, path, '8M']);
	}
	const whole = await readFile(path);
	const look = async () => await inspectDisks([{ disk: memoryDisk(whole), partitions: table?.partitions }], signal);
	const { boot: facts, failures } = await look();
	assert.deepEqual([failures, facts.notLookedAt], [[], []]);
	assert.partialDeepStrictEqual(facts.kernels[0]?.modules, {
		hv_vmbus: { early: 'kernel', installed: true },
		hv_storvsc: { early: 'no', installed: true },
		sd_mod: { early: 'initramfs', installed: true },
	});
	// Without the list of what is built in nothing counts as missing.
	whole.write('LUKS\xba\xbe', root, 'latin1');
	whole.fill(0, root + 1024, root + 2048);
	const { boot: less } = await look();
	assert.deepEqual(less.notLookedAt, ['disk0 partition 6: an encrypted volume (LUKS) is not read']);
	assert.partialDeepStrictEqual(less.kernels[0]?.modules, {
		hv_vmbus: { early: null, installed: null },
		hv_storvsc: { early: null, installed: null },
		sd_mod: { early: 'initramfs', installed: true },
	});
});
