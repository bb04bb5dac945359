import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { headersAtBytes } from '../../vhdx/constants.ts';
import { dynamicFile } from '../../vhdx/dynamic-file.ts';
import { openVhdx } from '../../vhdx/open.ts';
import { Random } from '../equipment/seeds/random.ts';
import {
	type Change,
	changed,
	child,
	dynamic,
	firstBlockAt,
	header,
	measures,
	metadata,
	regionTable,
} from '../equipment/vhdx-changes.ts';
import { assembled, idsOf, mebibyte, memoryFile } from '../equipment/vhdx-files.ts';

const accepted: [string, Buffer, Change][] = [
	[
		'headers that are the same, as Disk2vhd writes them',
		dynamic,
		header(headersAtBytes[0], at => void at.writeBigUInt64LE(2n, 8)),
	],
	[
		'a region that is not known and not required',
		dynamic,
		regionTable(table => {
			table.writeUInt32LE(3, 8);
			table.fill(9, 80, 96);
			table.writeBigUInt64LE(1n * BigInt(firstBlockAt + 2 * mebibyte), 96);
			table.writeUInt32LE(mebibyte, 104);
		}),
	],
	[
		'an item that is not known and not required',
		child,
		metadata(table => {
			table.writeUInt16LE(7, 10);
			table.fill(9, 32 + 6 * 32, 48 + 6 * 32);
			table.writeUInt32LE(2 ** 19, 48 + 6 * 32);
			table.writeUInt32LE(8, 52 + 6 * 32);
		}),
	],
];

describe('`openVhdx` takes', () => {
	for (const [what, file, change] of accepted)
		it(what, async () => {
			const whole = Buffer.concat([file, Buffer.alloc(mebibyte)]);
			await openVhdx(memoryFile(changed(whole, change)));
		});

	it('the header with the greater sequence number, whichever it is', async () => {
		const guid = '09090909-0909-0909-0909-090909090909';
		for (const [at, sequenceNumber] of [
			[headersAtBytes[0], 3n],
			[headersAtBytes[0], 1n],
			[headersAtBytes[1], 2n],
		] as const) {
			const file = changed(
				dynamic,
				header(at, bytes => {
					bytes.writeBigUInt64LE(sequenceNumber, 8);
					bytes.fill(9, 32, 48);
				}),
			);
			const { ids } = await openVhdx(memoryFile(file));
			assert.equal(ids.dataWriteGuid === guid, sequenceNumber > 1n, `${sequenceNumber} at ${at}`);
		}
	});

	it('a file that ends with the disk, within its last block', async () => {
		const file = assembled(
			dynamicFile({ ...measures, sizeBytes: mebibyte + 512, ids: idsOf(new Random(2)), isPresent: () => true }),
			Buffer.alloc(mebibyte + 512, 1),
		);
		await openVhdx(memoryFile(file.subarray(0, firstBlockAt + mebibyte + 512)));
		await assert.rejects(openVhdx(memoryFile(file.subarray(0, firstBlockAt + mebibyte + 511))), /cut short/);
	});
});
