import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { headersAtBytes, items, regionTablesAtBytes } from '../../vhdx/constants.ts';
import { dynamicFile } from '../../vhdx/dynamic-file.ts';
import { openVhdx } from '../../vhdx/open.ts';
import { Random } from '../equipment/seeds/random.ts';
import {
	bothHeaders,
	type Change,
	changed,
	entry,
	firstBlockAt,
	header,
	itemAt,
	itemValue,
	metadata,
	metadataAt,
	regionTable,
	tableAt,
	child,
	dynamic,
	measures,
} from '../equipment/vhdx-changes.ts';
import { assembled, idsOf, mebibyte, memoryFile } from '../equipment/vhdx-files.ts';

/** The bitmap's entry of the first chunk: 4,096 blocks of 1 MiB have one. */
const bitmapIndex = 4096;

const refusals: [string, Buffer, Change, RegExp][] = [
	['another file', dynamic, file => void file.write('vhdxfil3'), /does not begin with "vhdxfile"/],
	['a file that ends within its headers', dynamic, file => file.subarray(0, mebibyte - 1), /cut short/],
	[
		'a file that ends before its last block',
		dynamic,
		file => file.subarray(0, firstBlockAt + 2 * mebibyte - 1),
		/cut short.*block 1/,
	],
	[
		'a header without signature',
		dynamic,
		header(headersAtBytes[0], at => void at.write('hEad')),
		/does not begin with "head"/,
	],
	[
		'a header with a wrong checksum',
		dynamic,
		file => void (file[headersAtBytes[0] + 2000] = 1),
		/offset 65536 has a wrong checksum, and whether its other header, which is whole, is the newer one cannot be told$/,
	],
	[
		'a second header with a wrong checksum',
		dynamic,
		file => void (file[headersAtBytes[1] + 2000] = 1),
		/offset 131072 has a wrong checksum, and whether its other/,
	],
	[
		'two headers with wrong checksums',
		dynamic,
		file => headersAtBytes.forEach(at => (file[at + 2000] = 1)),
		/offset 65536 has a wrong checksum$/,
	],
	['a later version', dynamic, bothHeaders(at => void at.writeUInt16LE(2, 66)), /version 2/],
	['a later version of the log', dynamic, bothHeaders(at => void at.writeUInt16LE(1, 64)), /log of version 1/],
	[
		'headers that differ and have one sequence number',
		dynamic,
		header(headersAtBytes[0], at => {
			at.writeBigUInt64LE(2n, 8);
			at.fill(9, 16, 32);
		}),
		/sequence number 2, and differ/,
	],
	['a log that is not empty', dynamic, header(headersAtBytes[1], at => void at.fill(7, 48, 64)), /still in its log/],
	[
		'a log that is not empty, whose other header was torn',
		dynamic,
		file => {
			header(headersAtBytes[1], at => void at.fill(7, 48, 64))(file);
			file.fill(9, headersAtBytes[0], headersAtBytes[0] + 512);
		},
		/was not closed: .* still in its log/,
	],
	['a log beside whole MiB', dynamic, bothHeaders(at => void at.writeUInt32LE(4096, 68)), /not in whole MiB/],
	['a log within the headers', dynamic, bothHeaders(at => void at.writeBigUInt64LE(0n, 72)), /within the headers/],
	['a log behind the end', dynamic, bothHeaders(at => void at.writeBigUInt64LE(2n ** 62n, 72)), /cut short.*log/],
	[
		'a region table with a wrong checksum',
		dynamic,
		file => regionTablesAtBytes.forEach(at => (file[at + 3000] = 1)),
		/wrong checksum/,
	],
	['region tables that differ', dynamic, file => void (file[regionTablesAtBytes[1] + 3000] = 1), /differ/],
	['too many regions', dynamic, regionTable(table => void table.writeUInt32LE(2048, 8)), /2048 entries/],
	[
		'a required region that is not known',
		dynamic,
		regionTable(table => {
			table.writeUInt32LE(3, 8);
			table.fill(9, 80, 96);
			table.writeBigUInt64LE(BigInt(firstBlockAt), 96);
			table.writeUInt32LE(mebibyte, 104);
			table.writeUInt32LE(1, 108);
		}),
		/requires region 09090909/,
	],
	[
		'no block allocation table',
		dynamic,
		regionTable(table => {
			table.fill(9, 16, 32);
			table.writeUInt32LE(0, 44);
		}),
		/names no block allocation table/,
	],
	[
		'a region twice',
		dynamic,
		regionTable(table => {
			table.writeUInt32LE(3, 8);
			table.copy(table, 80, 16, 48);
			table.writeBigUInt64LE(BigInt(firstBlockAt), 96);
		}),
		/twice/,
	],
	[
		'regions that overlap',
		dynamic,
		regionTable(table => void table.writeBigUInt64LE(BigInt(metadataAt), 32)),
		/something else lies/,
	],
	[
		'a region within the headers',
		dynamic,
		regionTable(table => void table.writeBigUInt64LE(0n, 32)),
		/something else lies/,
	],
	['a region behind the end', dynamic, regionTable(table => void table.writeBigUInt64LE(2n ** 62n, 32)), /cut short/],
	[
		'a region beside whole MiB',
		dynamic,
		regionTable(table => void table.writeBigUInt64LE(4096n, 32)),
		/not in whole MiB/,
	],
	[
		'a region table without signature',
		dynamic,
		regionTable(table => void table.write('rEgi')),
		/does not begin with "regi"/,
	],
	['a reserved field of the region table', dynamic, regionTable(table => void table.writeUInt32LE(1, 12)), /reserved/],
	[
		'a reserved field of a region',
		dynamic,
		regionTable(table => void table.writeUInt32LE(3, 44)),
		/reserved field of region/,
	],
	['a reserved field of the metadata', dynamic, metadata(table => void table.writeUInt16LE(1, 30)), /reserved/],
	['no metadata', dynamic, metadata(table => void table.write('metaData')), /does not begin with "metadata"/],
	['too many items', dynamic, metadata(table => void table.writeUInt16LE(2048, 10)), /2048 entries/],
	[
		'a required item that is not known',
		dynamic,
		metadata(table => void table.fill(9, itemAt(table, items.virtualDiskId), itemAt(table, items.virtualDiskId) + 16)),
		/requires item 09090909/,
	],
	[
		"a known item that is the user's",
		dynamic,
		metadata(table => void table.writeUInt32LE(1, itemAt(table, items.virtualDiskId) + 24)),
		/lack the disk id/,
	],
	[
		'an item twice',
		dynamic,
		metadata(
			table =>
				void table.copy(
					table,
					itemAt(table, items.logicalSectorSize),
					itemAt(table, items.physicalSectorSize),
					itemAt(table, items.physicalSectorSize) + 16,
				),
		),
		/twice/,
	],
	[
		'items that overlap',
		dynamic,
		metadata(table => void table.writeUInt32LE(2 ** 16 + 4, itemAt(table, items.logicalSectorSize) + 16)),
		/overlap/,
	],
	[
		'an item behind its region',
		dynamic,
		metadata(table => void table.writeUInt32LE(mebibyte, itemAt(table, items.virtualDiskId) + 16)),
		/not within its region/,
	],
	[
		'an item within the table',
		dynamic,
		metadata(table => void table.writeUInt32LE(512, itemAt(table, items.virtualDiskId) + 16)),
		/no place of an item/,
	],
	[
		'an item of another length',
		dynamic,
		metadata(table => void table.writeUInt32LE(4, itemAt(table, items.virtualDiskSize) + 20)),
		/of 4 bytes instead of 8/,
	],
	[
		'reserved flags of an item',
		dynamic,
		metadata(table => void table.writeUInt32LE(14, itemAt(table, items.virtualDiskId) + 24)),
		/reserved/,
	],
	[
		'blocks of 3 MiB',
		dynamic,
		metadata(table => void itemValue(table, items.fileParameters).writeUInt32LE(3 * mebibyte)),
		/no power of two/,
	],
	[
		'unknown file parameters',
		dynamic,
		metadata(table => void itemValue(table, items.fileParameters).writeUInt32LE(4, 4)),
		/unknown flags: 4/,
	],
	[
		'sectors of 520 bytes',
		dynamic,
		metadata(table => void itemValue(table, items.logicalSectorSize).writeUInt32LE(520)),
		/520 bytes/,
	],
	[
		'a disk of more than 64 TiB',
		dynamic,
		metadata(table => void itemValue(table, items.virtualDiskSize).writeBigUInt64LE(2n ** 46n + 512n)),
		/64 TiB/,
	],
	[
		'a disk of no whole sectors',
		dynamic,
		metadata(table => void itemValue(table, items.virtualDiskSize).writeBigUInt64LE(513n)),
		/no whole sectors/,
	],
	[
		'a disk larger than its table',
		dynamic,
		metadata(table => void itemValue(table, items.virtualDiskSize).writeBigUInt64LE(2n ** 40n)),
		/needs/,
	],
	[
		'a parent that is not named',
		dynamic,
		metadata(table => void itemValue(table, items.fileParameters).writeUInt32LE(2, 4)),
		/do not name it/,
	],
	[
		'a parent that there is not',
		child,
		metadata(table => void itemValue(table, items.fileParameters).writeUInt32LE(0, 4)),
		/that there is not/,
	],
	[
		'a parent of another kind',
		child,
		metadata(table => void itemValue(table, items.parentLocator).fill(9, 0, 16)),
		/of type 09090909/,
	],
	[
		'a locator without a linkage',
		child,
		metadata(
			table =>
				void itemValue(table, items.parentLocator).write(
					'q',
					itemValue(table, items.parentLocator).indexOf('parent_linkage', 0, 'utf16le'),
				),
		),
		/no GUID as parent_linkage/,
	],
	[
		'a locator with texts behind its end',
		child,
		metadata(table => void itemValue(table, items.parentLocator).writeUInt32LE(5000, 20)),
		/at offset 5000/,
	],
	['reserved bits of an entry', dynamic, entry(0, firstBlockAt + 8 + 6), /entry 0 .* none of a dynamic disk/],
	['state 5 of a block', dynamic, entry(1, firstBlockAt + 5), /entry 1 .* none of a dynamic disk/],
	['a block that is there in part, without a parent', dynamic, entry(0, firstBlockAt + 7), /entry 0 /],
	[
		'blocks that overlap',
		dynamic,
		entry(1, firstBlockAt + 6),
		/block 1 lies at offset 4194304, where something else lies/,
	],
	['a block in the headers', dynamic, entry(1, 6), /something else lies/],
	['a block in the table', dynamic, entry(1, tableAt + 6), /something else lies/],
	['a block behind the end', dynamic, entry(1, 2 ** 50 + 6), /cut short.*block 1/],
	[
		'a block that is there in part, without a sector bitmap',
		child,
		entry(bitmapIndex, 0),
		/sector bitmap of entry 4096 is not there/,
	],
	[
		'a sector bitmap where a block lies',
		child,
		entry(bitmapIndex, firstBlockAt + mebibyte + 6),
		/sector bitmap lies at/,
	],
	['state 7 of a sector bitmap', child, entry(bitmapIndex, firstBlockAt + 7), /entry 4096 /],
];

/** Of more than 4,096 blocks, so that its table has the entry of a sector bitmap. */
const long = assembled(
	dynamicFile({ ...measures, sizeBytes: 5000 * mebibyte, ids: idsOf(new Random(2)), isPresent: () => false }),
	Buffer.alloc(0),
);
refusals.push(['a sector bitmap without a parent', long, entry(bitmapIndex, 3 * mebibyte + 6), /entry 4096 /]);

describe('`openVhdx` refuses', () => {
	for (const [what, file, change, message] of refusals)
		it(what, async () => {
			const source = memoryFile(changed(file, change));
			await assert.rejects(openVhdx(source), { code: 'source_invalid', message });
			assert.ok(
				source.reads.every(({ lengthBytes }) => lengthBytes <= mebibyte),
				'no more than 1 MiB is read at once',
			);
		});

	it('a file larger than the largest disk', async () => {
		await assert.rejects(openVhdx({ ...memoryFile(dynamic), sizeBytes: 2 ** 48 }), { code: 'source_invalid' });
	});

	it('a file that becomes shorter while it is read', async () => {
		const source = memoryFile(dynamic);
		const shorter = {
			...source,
			read: async (at: number, length: number) => (await source.read(at, length)).subarray(1),
		};
		await assert.rejects(openVhdx(shorter), { code: 'source_invalid', message: /became shorter/ });
	});
});
