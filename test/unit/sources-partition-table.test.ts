import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { crc32 } from 'node:zlib';
import * as fc from 'fast-check';
import { type DiskSource, sequentialHeadBytes } from '../../repository/import/disk-source.ts';
import { firmwareOf, readPartitionTable } from '../../sources/partition-table.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

const never = new AbortController().signal;
const mebibyte = 2 ** 20;

function diskOf(content: Buffer): DiskSource {
	return {
		sizeBytes: content.length,
		extents: async function* () {
			yield { offsetBytes: 0, lengthBytes: content.length, kind: 'data' };
		},
		read: async (offsetBytes, into) => {
			assert.ok(offsetBytes + into.length <= content.length, 'read past the end');
			content.copy(into, 0, offsetBytes);
		},
		close: async () => {},
	};
}

/** A disk with such partitions of 1 MiB each, as nbdkit makes it; types are GUIDs for GPT and bytes for MBR. */
async function partitioned(t: TestContext, scheme: 'gpt' | 'mbr', types: readonly string[]): Promise<Buffer> {
	const directory = await temporaryDirectory(t);
	const partition = join(directory, 'partition');
	const parameter = scheme === 'gpt' ? 'type-guid' : 'mbr-id';
	// The type comes before the partition it is for; a file may be there only once.
	const partitions = types.flatMap((type, index) => {
		const file = `${partition}${index}`;
		writeFileSync(file, Buffer.alloc(mebibyte));
		return [`${parameter}=${type}`, `file=${file}`];
	});
	const disk = join(directory, 'disk.raw');
	const args = ['-U', '-', 'partitioning', `partition-type=${scheme}`, ...partitions];
	execFileSync('nbdkit', [...args, '--run', `nbdcopy "$uri" ${disk}`]);
	return readFileSync(disk);
}

/** Makes a GPT header and its entries true again after a change. */
function seal(content: Buffer, headerAt: number, sectorBytes = 512): void {
	const entriesAt = Number(content.readBigUInt64LE(headerAt + 72)) * sectorBytes;
	const entriesBytes = content.readUInt32LE(headerAt + 80) * content.readUInt32LE(headerAt + 84);
	content.writeUInt32LE(crc32(content.subarray(entriesAt, entriesAt + entriesBytes)), headerAt + 88);
	content.writeUInt32LE(0, headerAt + 16);
	const headerBytes = content.readUInt32LE(headerAt + 12);
	content.writeUInt32LE(crc32(content.subarray(headerAt, headerAt + headerBytes)), headerAt + 16);
}

async function firmware(content: Buffer): Promise<string | undefined> {
	const table = await readPartitionTable(diskOf(content), never);
	return table && `${table.scheme} ${firmwareOf(table)}`;
}

const linux = '0fc63daf-8483-4772-8e79-3d69d8477de4';
const system = 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b';
const freebsdBoot = '83bd6b9d-7f41-11dc-be0b-001560b84f0f';
const biosBoot = '21686148-6449-6e6f-744e-656564454649';

const tables: [string, 'gpt' | 'mbr', string[], string][] = [
	['an EFI system partition', 'gpt', [linux, system], 'efi'],
	['a BIOS boot partition', 'gpt', [biosBoot, linux], 'bios'],
	['a BIOS boot and an EFI system partition', 'gpt', [biosBoot, system, linux], 'efi'],
	['a boot partition of FreeBSD', 'gpt', [freebsdBoot, linux], 'bios'],
	['a boot partition of FreeBSD and an EFI system partition', 'gpt', [freebsdBoot, system], 'efi'],
	['other partitions', 'gpt', [linux], 'efi'],
	['an EFI system partition', 'mbr', ['0xef', '0x83'], 'efi'],
	['other partitions', 'mbr', ['0x83', '0x07'], 'bios'],
];
for (const [what, scheme, types, expected] of tables)
	test(`${scheme.toUpperCase()} with ${what}: ${expected}`, async t => {
		assert.equal(await firmware(await partitioned(t, scheme, types)), `${scheme} ${expected}`);
	});

test('a GPT with boot code before it, and without an EFI system partition, is booted by a BIOS', async t => {
	for (const [types, expected] of [
		[[linux], 'gpt bios'],
		[[linux, system], 'gpt efi'],
	] as const) {
		const content = await partitioned(t, 'gpt', types);
		content.fill(0x90, 0, 440);
		assert.equal(await firmware(content), expected);
	}
});

test('a GPT with sectors of 4096 bytes is read', async t => {
	const usual = await partitioned(t, 'gpt', [biosBoot]);
	const content = Buffer.alloc(2 * mebibyte);
	usual.copy(content, 0, 0, 512);
	usual.copy(content, 4096, 512, 1024);
	usual.copy(content, 2 * 4096, 1024, 1024 + 128 * 128);
	seal(content, 4096, 4096);
	assert.equal(await firmware(content), 'gpt bios');
	assert.equal((await readPartitionTable(diskOf(content), never))?.sectorBytes, 4096);
	assert.equal((await readPartitionTable(diskOf(usual), never))?.sectorBytes, 512);
});

test('of a disk that comes in order nothing is read behind what is at hand', async t => {
	const content = await partitioned(t, 'gpt', [linux]);
	const whole = diskOf(content);
	const disk: DiskSource = {
		...whole,
		access: 'sequential',
		read: async (offsetBytes, into, signal) => {
			assert.ok(offsetBytes + into.length <= sequentialHeadBytes, `${into.length} bytes at ${offsetBytes}`);
			await whole.read(offsetBytes, into, signal);
		},
	};
	assert.equal((await readPartitionTable(disk, never))?.scheme, 'gpt');
	content.writeUInt8(content.readUInt8(512 + 30) ^ 1, 512 + 30);
	assert.equal((await readPartitionTable(disk, never))?.scheme, 'mbr');
	assert.equal((await readPartitionTable(whole, never))?.scheme, 'gpt');
});

test('a GPT whose primary header or entries are damaged is read from its copy at the end', async t => {
	for (const damaged of [512 + 30, 1024 + 3]) {
		const content = await partitioned(t, 'gpt', [biosBoot]);
		content.writeUInt8(content.readUInt8(damaged) ^ 1, damaged);
		assert.equal(await firmware(content), 'gpt bios');
	}
});

test('a GPT whose copies are both damaged is none', async t => {
	const content = await partitioned(t, 'gpt', [system]);
	for (const at of [512 + 30, content.length - 512 + 30]) content.writeUInt8(content.readUInt8(at) ^ 1, at);
	assert.equal(await firmware(content), 'mbr bios');
});

test('a GPT that an MBR without a protective entry has replaced does not count', async t => {
	const content = await partitioned(t, 'gpt', [system]);
	(await partitioned(t, 'mbr', ['0x83'])).copy(content, 0, 0, 512);
	assert.equal(await firmware(content), 'mbr bios');
});

test('a table without partitions, a bare file system and zeros are no table', async t => {
	const emptyGpt = await partitioned(t, 'gpt', [system]);
	emptyGpt.fill(0, 1024, 1024 + 128 * 128);
	seal(emptyGpt, 512);
	assert.equal(await firmware(emptyGpt), undefined);
	const emptyMbr = await partitioned(t, 'mbr', ['0x83']);
	emptyMbr.fill(0, 446, 510);
	assert.equal(await firmware(emptyMbr), undefined);
	assert.equal(await firmware(Buffer.alloc(mebibyte)), undefined);
	assert.equal(await firmware(Buffer.alloc(100)), undefined);
	const fat = Buffer.alloc(mebibyte, 'This is not a bootable disk. ');
	fat.writeUInt16LE(0xaa55, 510);
	assert.equal(await firmware(fat), undefined);
});

test('a GPT tells where its disk ended, by either of its copies, so that one whose copy is cut off can be told', async t => {
	const content = await partitioned(t, 'gpt', [linux]);
	const endOf = async (bytes: Buffer) => (await readPartitionTable(diskOf(bytes), never))?.endBytes;
	assert.equal(await endOf(content.subarray(0, -512)), content.length);
	content.fill(0, 512, 1024);
	assert.equal(await endOf(content), content.length);
	assert.equal(await endOf(await partitioned(t, 'mbr', ['0x83'])), null);
});

test('the end of a partition is known, so that a disk cut short can be told', async t => {
	for (const [scheme, type] of [
		['gpt', linux],
		['mbr', '0x83'],
	] as const) {
		const content = await partitioned(t, scheme, [type]);
		const table = await readPartitionTable(diskOf(content.subarray(0, 100_000)), never);
		assert.deepEqual(
			table?.partitions.map(({ endBytes }) => endBytes),
			[2 * mebibyte],
		);
	}
});

test('whatever lies where a table should be, it is a table or none', async t => {
	const content = await partitioned(t, 'gpt', [system, linux]);
	const change = fc.record({ at: fc.integer({ min: 440, max: 1500 }), value: fc.integer({ min: 0, max: 255 }) });
	await fc.assert(
		fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 20 }), fc.boolean(), async (changes, sealed) => {
			const changed = Buffer.from(content);
			for (const { at, value } of changes) changed.writeUInt8(value, at);
			// With sums that are right again the fields themselves are read.
			if (sealed && changed.readUInt32LE(512 + 12) <= 512) {
				changed.writeUInt32LE(0, 512 + 16);
				changed.writeUInt32LE(crc32(changed.subarray(512, 512 + changed.readUInt32LE(512 + 12))), 512 + 16);
			}
			const found = await firmware(changed);
			assert.ok(found === undefined || /^(gpt|mbr) (bios|efi)$/.test(found));
		}),
		{ numRuns: 200 },
	);
});
