import assert from 'node:assert/strict';
import { test } from 'node:test';
import { guidBytes, guidText, isGuid } from '../../model/guid.ts';
import { crc32c } from '../../vhdx/crc32c.ts';
import { tableEntries, usualBlockBytes } from '../../vhdx/geometry.ts';
import { type IdentityDisk, identityHeader } from '../../vhdx/identity-header.ts';

const mebibyte = 2 ** 20;
const tebibyte = 2 ** 40;
const ids = {
	fileWriteGuid: '00112233-4455-6677-8899-aabbccddeeff',
	dataWriteGuid: '10112233-4455-6677-8899-aabbccddeeff',
	virtualDiskId: '20112233-4455-6677-8899-aabbccddeeff',
};
const disk = (sizeBytes: number, more: Partial<IdentityDisk> = {}): IdentityDisk => ({
	sizeBytes,
	logicalSectorBytes: 512,
	physicalSectorBytes: 4096,
	ids,
	...more,
});

test('`guidBytes` lays the first three fields little-endian, and `guidText` reads them back in lower case', () => {
	const bytes = guidBytes('00112233-4455-6677-8899-AABBCCDDEEFF');
	assert.equal(Buffer.from(bytes).toString('hex'), '33221100554477668899aabbccddeeff');
	assert.equal(guidText(bytes), ids.fileWriteGuid);
	assert.equal(isGuid(`{${ids.fileWriteGuid}}`), false);
	assert.throws(() => guidBytes('00112233'), RangeError);
	assert.throws(() => guidText(new Uint8Array(15)), RangeError);
});

test('`crc32c` gives the check values of RFC 3720, appendix B.4', () => {
	assert.equal(crc32c(new Uint8Array(32)), 0x8a91_36aa);
	assert.equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8_ab43);
	assert.equal(crc32c(Uint8Array.from({ length: 32 }, (_, index) => index)), 0x46dd_794e);
});

test('`identityHeader` maps each block to its own place, over the entries of sector bitmaps', () => {
	const { header, payloadOffsetBytes, fileSizeBytes } = identityHeader(
		disk(200 * 2 ** 30 + 512, { blockBytes: mebibyte }),
	);
	assert.equal(header.length, payloadOffsetBytes);
	assert.equal(fileSizeBytes, payloadOffsetBytes + 200 * 2 ** 30 + mebibyte);
	const table = new DataView(header.buffer, 3 * mebibyte);
	// 2.5: with sectors of 512 bytes and blocks of 1 MiB an entry of a bitmap follows 4,096 of blocks.
	const entry = (index: number) => Number(table.getBigUint64(index * 8, true));
	for (const [index, block] of [
		[0, 0],
		[4095, 4095],
		[4097, 4096],
		[200 * 1024 + 50, 200 * 1024],
	] as const)
		assert.equal(entry(index), payloadOffsetBytes + block * mebibyte + 6, `entry ${index}`);
	assert.equal(entry(4096), 0);
	assert.equal(entry(200 * 1024 + 51), 0);
});

test('`tableEntries` counts the bitmap of a last chunk that is full for differencing disks alone', () => {
	const full = { sizeBytes: 4096 * mebibyte, blockBytes: mebibyte, logicalSectorBytes: 512 } as const;
	assert.equal(tableEntries(full, false), 4096);
	assert.equal(tableEntries({ ...full, sizeBytes: full.sizeBytes + 512 }, false), 4098);
	assert.equal(tableEntries(full, true), 4097);
});

test('`identityHeader` marks blocks that are known to be zeros, and leaves their places free', () => {
	const { header, payloadOffsetBytes, fileSizeBytes } = identityHeader(
		disk(4 * mebibyte, { blockBytes: mebibyte, isZero: block => block === 1 }),
	);
	const table = new DataView(header.buffer, 3 * mebibyte);
	const entries = [0, 1, 2, 3].map(index => Number(table.getBigUint64(index * 8, true)));
	const place = (block: number) => payloadOffsetBytes + block * mebibyte + 6;
	assert.deepEqual(entries, [place(0), 2, place(2), place(3)]);
	assert.equal(fileSizeBytes, payloadOffsetBytes + 4 * mebibyte);
});

test('`identityHeader` is small up to 64 TiB with the usual blocks', () => {
	for (const [sizeBytes, blockBytes, headerBytes] of [
		[512, 32 * mebibyte, 4 * mebibyte],
		[3 * tebibyte, 32 * mebibyte, 4 * mebibyte],
		[5 * tebibyte, 64 * mebibyte, 4 * mebibyte],
		[64 * tebibyte, 256 * mebibyte, 6 * mebibyte],
	] as const) {
		const made = identityHeader(disk(sizeBytes));
		assert.deepEqual([made.blockBytes, made.header.length], [blockBytes, headerBytes], `${sizeBytes} bytes`);
	}
	assert.equal(usualBlockBytes(64 * tebibyte, 4096), 256 * mebibyte);
});

test('`identityHeader` refuses measures that the format does not have', () => {
	for (const wrong of [
		disk(0),
		disk(64 * tebibyte + 512),
		disk(mebibyte + 1),
		disk(mebibyte, { blockBytes: 2 ** 19 }),
		disk(mebibyte, { blockBytes: 3 * mebibyte }),
		disk(mebibyte, { blockBytes: 512 * mebibyte }),
		disk(mebibyte + 512, { logicalSectorBytes: 4096 }),
		disk(64 * tebibyte, { blockBytes: mebibyte }),
	])
		assert.throws(() => identityHeader(wrong), { code: 'input_invalid' }, JSON.stringify(wrong));
});
