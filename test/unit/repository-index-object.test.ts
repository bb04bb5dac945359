/** An index byte for byte (docs/format.md, "Index"), and what is refused of one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '../../repository/format/digest.ts';
import {
	bucketLog2For,
	decodeIndexTrailer,
	encodeIndexTrailer,
	indexLayout,
	type IndexTrailer,
} from '../../repository/format/index-object.ts';
import { keys } from '../../repository/format/keys.ts';
import { IndexDraft } from '../../repository/index/index-draft.ts';
import { MemoryStore } from '../../repository/store/memory.ts';
import { putPack } from '../equipment/indexed-packs.ts';

const digests = ['20', '10', 'ff'].map(first => first.padEnd(16, '0') + '01000200ff01ff030004'.padEnd(48, 'e'));
const indexId = '000102030405060708090a0b0c0d0e0f';
const superseded = ['0'.repeat(32), 'f'.repeat(32)];

const sections = [
	// records: digest, number of the pack, offset, stored bytes
	`${digests[1]}000000000000000029000000`,
	`${digests[1]}010000002900000029000000`,
	`${digests[0]}010000000000000029000000`,
	`${digests[2]}010000005200000029000000`,
	// packs: id, bytes of the whole pack: 41 and 156 of footer and trailer; 123 and 228
	`${'a'.repeat(32)}c5000000`,
	`${'b'.repeat(32)}5f010000`,
	...superseded,
	// one bucket
	'0000000004000000',
	// bits 1, 2, 511, 1023 and 1024, modulo 512
	`07${'00'.repeat(62)}80`,
];

async function sampleIndex(): Promise<Buffer> {
	const store = new MemoryStore();
	const draft = new IndexDraft();
	draft.add(await putPack(store, 'b'.repeat(32), digests));
	draft.add(await putPack(store, 'a'.repeat(32), digests.slice(1, 2)));
	const key = keys.index(await draft.write(store, superseded.toReversed()));
	const bytes = Buffer.alloc((await store.size(key)) ?? 0);
	await store.read(key, 0, bytes);
	return bytes;
}

test('`IndexDraft` writes the bytes of version 1', async () => {
	const bytes = await sampleIndex();
	assert.equal(bytes.subarray(0, -144).toString('hex'), sections.join(''));
	const trailer = decodeIndexTrailer(
		bytes.subarray(-144),
		bytes.toString('hex', bytes.length - 136, bytes.length - 120),
		bytes.length,
	);
	assert.deepEqual(trailer.recordsDigest, digestOf(bytes.subarray(0, 4 * 44)));
	assert.deepEqual(trailer.tablesDigest, digestOf(bytes.subarray(4 * 44, -144)));
});

const sample: IndexTrailer = {
	indexId,
	records: 4,
	packs: 2,
	superseded: 2,
	bucketLog2: 0,
	recordsDigest: Buffer.alloc(32, 0x11),
	tablesDigest: Buffer.alloc(32, 0x22),
};

test('`encodeIndexTrailer` gives the bytes of version 1', () => {
	assert.equal(
		encodeIndexTrailer(sample).toString('hex'),
		[
			'0b4d1d75dd9c7b30', // magic
			indexId,
			'0400000000000000', // records
			'02000000', // packs
			'02000000', // superseded
			'00', // one bucket
			'00000000000000',
			'11'.repeat(32),
			'22'.repeat(32),
			'1f5d79cf8ccc90e257714bc41790601d2886f84e451b8b37595f20aca6588292',
		].join(''),
	);
});

test('`decodeIndexTrailer` refuses what an index may not be, though its digest holds', () => {
	const decode = (change: Partial<IndexTrailer>, damage: (bytes: Buffer) => void = () => {}, more = 0) => {
		const trailer = { ...sample, ...change };
		const bytes = encodeIndexTrailer(trailer);
		damage(bytes);
		digestOf(bytes.subarray(0, 112)).copy(bytes, 112);
		return () => decodeIndexTrailer(bytes, indexId, indexLayout(trailer).sizeBytes + more);
	};
	assert.deepEqual(decode({})(), sample);
	const most = { records: 2 ** 30, packs: 2 ** 22, superseded: 4096, bucketLog2: 24 };
	assert.deepEqual(decode(most)(), { ...sample, ...most });
	for (const [why, refused] of [
		['id', decode({ indexId: 'f'.repeat(32) })],
		['no records', decode({ records: 0, packs: 0 })],
		['records', decode({ ...most, records: 2 ** 30 + 1, bucketLog2: 25 })],
		['no packs', decode({ packs: 0 })],
		['more packs than records', decode({ packs: 5 })],
		['packs', decode({ ...most, packs: 2 ** 22 + 1 })],
		['superseded', decode({ superseded: 4097 })],
		['too many buckets', decode({ bucketLog2: 1 })],
		['too few buckets', decode({ records: 65 })],
		['longer', decode({}, undefined, 1)],
		['shorter', decode({}, undefined, -1)],
		['magic', decode({}, bytes => bytes.writeUInt8(0, 0))],
		['reserved', decode({}, bytes => bytes.writeUInt8(1, 41))],
		['reserved', decode({}, bytes => bytes.writeUInt8(1, 47))],
	] as const)
		assert.throws(refused, { code: 'format_damaged' }, why);
	const bytes = encodeIndexTrailer(sample);
	for (let at = 0; at < bytes.length; at += 1) {
		const flipped = Buffer.from(bytes);
		flipped.writeUInt8(flipped.readUInt8(at) ^ 4, at);
		assert.throws(() => decodeIndexTrailer(flipped, indexId, indexLayout(sample).sizeBytes), {
			code: 'format_damaged',
		});
	}
});

test('`bucketLog2For` has no more than 64 records a bucket', () => {
	const expected = [
		[1, 0],
		[64, 0],
		[65, 1],
		[128, 1],
		[129, 2],
		[2 ** 30, 24],
	] as const;
	for (const [records, log2] of expected) assert.equal(bucketLog2For(records), log2);
});
