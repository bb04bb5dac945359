import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import type { DiskSource } from '../../repository/import/disk-source.ts';
import { readPartitionTable } from '../../sources/partition-table.ts';
import { gpt, type GptDisk } from '../../volume/gpt.ts';

const mebibyte = 2 ** 20;
const disk: GptDisk = {
	sizeBytes: 6 * 2 ** 40 + 2 * mebibyte,
	diskGuid: 'd1d1d1d1-0000-4000-8000-000000000001',
	partition: {
		guid: 'd2d2d2d2-0000-4000-8000-000000000002',
		offsetBytes: mebibyte,
		sizeBytes: 6 * 2 ** 40,
		name: 'Rouse',
	},
};

/** The table between which nothing lies; `damaged`: a byte of it is another. */
function source({ head, tail }: { head: Buffer; tail: Buffer }, damaged?: number): DiskSource {
	const tailAt = disk.sizeBytes - tail.length;
	return {
		sizeBytes: disk.sizeBytes,
		extents: async function* () {},
		read: async (offsetBytes, into) => {
			into.fill(0);
			if (offsetBytes < head.length) head.copy(into, 0, offsetBytes);
			if (offsetBytes >= tailAt) tail.copy(into, 0, offsetBytes - tailAt);
			if (damaged !== undefined && damaged >= offsetBytes && damaged < offsetBytes + into.length)
				into[damaged - offsetBytes] = 1 + (into[damaged - offsetBytes] ?? 0);
		},
		close: async () => {},
	};
}

test('`gpt` makes a table that is read by its beginning, and by its end when that is damaged', async () => {
	const table = gpt(disk);
	const never = new AbortController().signal;
	for (const damaged of [undefined, 512 + 60, 1024 + 3]) {
		const read = await readPartitionTable(source(table, damaged), never);
		assert.deepEqual(read, {
			scheme: 'gpt',
			sectorBytes: 512,
			hasBootCode: false,
			partitions: [
				{
					type: 'ebd0a0a2-b9e5-4433-87c0-68b6b72699c7',
					number: 1,
					startBytes: mebibyte,
					endBytes: mebibyte + 6 * 2 ** 40,
				},
			],
			endBytes: disk.sizeBytes,
		});
	}
});

test('`gpt` protects what 32 bits can say, names both ends and gives no drive letter', () => {
	const { head, tail } = gpt(disk);
	assert.equal(head.readUInt32LE(446 + 12), 0xffffffff);
	const sectors = BigInt(disk.sizeBytes / 512);
	const primary = head.subarray(512, 1024);
	const backup = tail.subarray(-512);
	assert.deepEqual([primary.readBigUInt64LE(24), primary.readBigUInt64LE(32)], [1n, sectors - 1n]);
	assert.deepEqual([backup.readBigUInt64LE(24), backup.readBigUInt64LE(32)], [sectors - 1n, 1n]);
	assert.equal(backup.readBigUInt64LE(72), sectors - 33n);
	for (const header of [primary, backup]) {
		const plain = Buffer.from(header.subarray(0, 92));
		plain.writeUInt32LE(0, 16);
		assert.equal(crc32(plain), header.readUInt32LE(16));
	}
	const entry = head.subarray(1024);
	assert.deepEqual([entry.readBigUInt64LE(32), entry.readBigUInt64LE(40)], [2048n, 2047n + (6n << 31n)]);
	assert.equal(entry.readBigUInt64LE(48), 1n << 63n);
	assert.equal(entry.toString('utf16le', 56, 66), 'Rouse');
});

test('`gpt` of a small disk protects its sectors and no more', () => {
	const small = { ...disk, sizeBytes: 4 * mebibyte, partition: { ...disk.partition, sizeBytes: 2 * mebibyte } };
	assert.equal(gpt(small).head.readUInt32LE(446 + 12), 8191);
});
