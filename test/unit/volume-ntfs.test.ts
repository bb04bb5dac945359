import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { attributesOf, fileNameOf, setInitialized } from '../../volume/ntfs/attributes.ts';
import { decodeRecord, encodeRecord } from '../../volume/ntfs/record.ts';
import { decodeRuns } from '../../volume/ntfs/runs.ts';

const number = 64;
const clusters = 1000;
const arrayAt = 48;

/** A record as it lies on disk with one $DATA at `dataAt`, which has such runs. */
function recordOnDisk({ dataAt = 56, pairs = Buffer.from([0x11, 20, 5, 0]), sequence = 7, bytes = 1024 } = {}): Buffer {
	const record = Buffer.alloc(bytes);
	record.write('FILE', 0, 'latin1');
	record.writeUInt16LE(arrayAt, 4);
	record.writeUInt16LE(bytes / 512 + 1, 6);
	record.writeUInt16LE(dataAt, 20);
	record.writeUInt16LE(1, 22);
	record.writeUInt32LE(dataAt + 72 + 8, 24);
	record.writeUInt32LE(bytes, 28);
	record.writeUInt32LE(number, 44);
	const data = record.subarray(dataAt);
	data.writeUInt32LE(0x80, 0);
	data.writeUInt32LE(72, 4);
	data.writeUInt8(1, 8);
	data.writeBigInt64LE(19n, 24);
	data.writeUInt16LE(64, 32);
	for (const at of [40, 48]) data.writeBigUInt64LE(20n * 65_536n, at);
	pairs.copy(data, 64);
	data.writeUInt32LE(0xffffffff, 72);
	record.writeUInt16LE(sequence - 1, arrayAt);
	return encodeRecord({ number, bytes: record, bytesInUse: dataAt + 80 });
}

function decoded(onDisk: Buffer) {
	const record = decodeRecord(onDisk, number);
	assert.ok(record);
	return record;
}

test('initialized size is set where the update sequence array holds its bytes', () => {
	// Its eight bytes end with the first sector.
	const dataAt = 512 - 64;
	const record = decoded(recordOnDisk({ dataAt }));
	const [data] = attributesOf(record, clusters);
	assert.ok(data?.kind === 'nonResident');
	assert.equal(data.initializedBytes, 0);
	data.dataBytes = 0x1122_3344_5566;
	setInitialized(record, data);
	record.bytes.writeUInt16LE(0xbeef, 510);
	const onDisk = encodeRecord(record);
	assert.equal(onDisk.readUInt16LE(arrayAt), 8, 'the next update sequence number');
	assert.equal(onDisk.readUInt16LE(510), 8);
	assert.equal(onDisk.readUInt16LE(arrayAt + 2), 0xbeef, 'what belongs to the end of the sector');
	assert.deepEqual(decoded(onDisk).bytes.subarray(504, 512), Buffer.from('665544332211efbe', 'hex'));
});

test('the update sequence number is never 0 or 0xffff', () => {
	for (const [before, after] of [
		[0xfffe, 1],
		[0xfffd, 0xfffe],
	] as const)
		assert.equal(recordOnDisk({ sequence: before + 1 }).readUInt16LE(arrayAt), after);
});

test('a record that is torn, of another number, not a record or the rest of another one is refused', () => {
	const changed = (change: (record: Buffer) => void) => {
		const record = recordOnDisk();
		change(record);
		return () => decodeRecord(record, number);
	};
	assert.throws(
		changed(record => record.writeUInt16LE(9, 1022)),
		/torn/,
	);
	assert.throws(
		changed(record => record.writeUInt32LE(65, 44)),
		/says to be 65/,
	);
	assert.throws(
		changed(record => record.writeUInt32LE(0, 44)),
		/says to be 0/,
	);
	assert.throws(
		changed(record => record.write('BAAD')),
		/does not begin with FILE/,
	);
	assert.throws(
		changed(record => record.writeBigUInt64LE(3n, 32)),
		/goes on from another/,
	);
	assert.throws(
		changed(record => record.writeUInt16LE(4, 6)),
		/4 update sequence words/,
	);
	assert.throws(
		changed(record => record.writeUInt16LE(600, 4)),
		/update sequence words at 600/,
	);
	assert.throws(
		changed(record => record.writeUInt32LE(2000, 24)),
		/2000 bytes in use/,
	);
	assert.equal(changed(record => record.writeUInt16LE(0, 22))(), undefined);
	assert.equal(decodeRecord(Buffer.alloc(1024), number), undefined);
});

test('runs are read as ntfs-3g writes them: lengths, differences with a sign, holes', () => {
	const pairs = Buffer.from([0x21, 0x10, 0x00, 0x02, 0x11, 0x08, 0xf0, 0x01, 0x20, 0x12, 0x00, 0x01, 0x40, 0]);
	assert.deepEqual(decodeRuns(pairs, clusters), [
		{ cluster: 512, clusters: 16 },
		{ cluster: 496, clusters: 8 },
		{ cluster: undefined, clusters: 32 },
		{ cluster: 560, clusters: 256 },
	]);
	assert.deepEqual(decodeRuns(Buffer.from([0]), clusters), []);
});

test('runs without an end, of no clusters, before or behind the volume are refused', () => {
	for (const pairs of [
		[0x11, 20, 5],
		[0x11, 20],
		[],
		[0x11, 0, 5, 0],
		[0x10, 20, 0],
		[0x11, 0xff, 5, 0],
		[0x11, 5, 0xff, 0],
		[0x21, 20, 0xe7, 0x03, 0],
		[0x17, 1, 1, 1, 1, 1, 1, 1, 1, 0],
		Array.from({ length: 1025 }, () => [0x11, 1, 0]).flat(),
	])
		assert.throws(() => decodeRuns(Buffer.from(pairs), clusters), { code: 'format_damaged' });
});

test('attributes that leave the record, or contradict their runs, are refused', () => {
	const changed = (change: (data: Buffer) => void) => {
		const record = decoded(recordOnDisk());
		change(record.bytes.subarray(56));
		return () => attributesOf(record, clusters);
	};
	assert.equal(changed(() => {})().length, 1);
	assert.throws(
		changed(data => data.writeUInt32LE(0, 4)),
		/an attribute of 0 bytes/,
	);
	assert.throws(
		changed(data => data.writeUInt32LE(4096, 4)),
		/an attribute of 4096 bytes/,
	);
	assert.throws(
		changed(data => data.writeUInt32LE(0x20, 0)),
		/goes on in others/,
	);
	assert.throws(
		changed(data => data.writeUInt16LE(72, 32)),
		/runs at 72/,
	);
	assert.throws(
		changed(data => data.writeBigInt64LE(20n, 24)),
		/clusters 0 to 20 of an attribute with 20/,
	);
	assert.throws(
		changed(data => data.writeBigUInt64LE(1n << 60n, 48)),
		/an attribute of 1152921504606846976 bytes/,
	);
	assert.throws(
		changed(data => data.writeUInt32LE(1, 72)),
		/an attribute of 0 bytes/,
	);
});

test('a file name that leaves its attribute is refused', () => {
	const value = Buffer.alloc(68);
	value.writeUIntLE(5, 0, 6);
	value.writeUInt8(1, 64);
	value.write('a', 66, 'utf16le');
	const name = { kind: 'resident', type: 0x30, atBytes: 0, isNamed: false, flags: 0 } as const;
	assert.deepEqual(fileNameOf({ ...name, value }), { name: 'a', directory: 5 });
	assert.throws(() => fileNameOf({ ...name, value: value.subarray(0, 67) }), { code: 'format_damaged' });
	assert.throws(() => fileNameOf({ ...name, value: value.subarray(0, 20) }), { code: 'format_damaged' });
});

test('any bytes as runs or as a record end in runs within the volume or in `format_damaged`', () => {
	const isTyped = (error: unknown) => assert.match(String(error), /NTFS: /);
	fc.assert(
		fc.property(fc.uint8Array({ maxLength: 64 }), bytes => {
			try {
				for (const run of decodeRuns(Buffer.from(bytes), clusters))
					assert.ok(run.clusters > 0 && (run.cluster ?? 0) >= 0 && (run.cluster ?? 0) + run.clusters <= clusters);
			} catch (error) {
				isTyped(error);
			}
		}),
	);
	fc.assert(
		fc.property(fc.nat(1023), fc.integer({ min: 1, max: 255 }), (at, bits) => {
			const onDisk = recordOnDisk();
			onDisk.writeUInt8(onDisk.readUInt8(at) ^ bits, at);
			try {
				const record = decodeRecord(onDisk, number);
				if (record) attributesOf(record, clusters);
			} catch (error) {
				isTyped(error);
			}
		}),
		{ numRuns: 2000 },
	);
});
