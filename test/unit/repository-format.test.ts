import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { constants, zstdCompressSync } from 'node:zlib';
import * as fc from 'fast-check';
import type { ChunkRef } from '../../model/chunk.ts';
import { decodeChunk, digestOf, encodeChunk } from '../../repository/format/chunk.ts';
import { magic } from '../../repository/format/magic.ts';
import { decodePackEnd, encodePackEnd, packEndBytes } from '../../repository/format/pack.ts';
import { encodePage, Page } from '../../repository/format/page.ts';
import { chunkRawBytes, entriesOfPage, pageMapOf } from '../../repository/format/page-map.ts';
import { chunkRefBytes, decodeChunkRef, encodeChunkRef } from '../../repository/format/reference.ts';
import { noise } from '../equipment/repositories.ts';

const hex = (bytes: number) =>
	fc.uint8Array({ minLength: bytes, maxLength: bytes }).map(b => Buffer.from(b).toString('hex'));
const plain = { noNullPrototype: true };
const anyRef: fc.Arbitrary<ChunkRef> = fc.record(
	{
		digest: hex(32),
		packId: hex(16),
		offsetBytes: fc.integer({ min: 0, max: 0xffff_ffff }),
		storedBytes: fc.integer({ min: 1, max: 16 * 1024 * 1024 + 1 }),
	},
	plain,
);
const refTo = (raw: Uint8Array): ChunkRef => ({
	digest: digestOf(raw),
	packId: '0'.repeat(32),
	offsetBytes: 0,
	storedBytes: 1,
});

test('`magic` of packs and content are the first 8 bytes of the digest of their sentence', () => {
	for (const { sentence, bytes } of Object.values(magic))
		assert.equal(createHash('sha256').update(sentence).digest('hex').slice(0, 16), bytes.toString('hex'), sentence);
});

test('`magic` of packs and content are the bytes of version 0', () => {
	const golden = { packFooter: 'cd5862459ebaa6a3', packTrailer: '344252d1233542a5', diskContent: '67a35f7b102166d0' };
	assert.deepEqual(
		Object.fromEntries(Object.entries(magic).map(([name, { bytes }]) => [name, bytes.toString('hex')])),
		golden,
	);
});

test('`encodeChunkRef` writes 56 bytes laid out as docs/format.md says', () => {
	const bytes = Buffer.alloc(chunkRefBytes);
	const ref = { digest: '11'.repeat(32), packId: '22'.repeat(16), offsetBytes: 0x0403_0201, storedBytes: 0x0000_0605 };
	encodeChunkRef(ref, bytes);
	assert.equal(bytes.toString('hex'), `${'11'.repeat(32)}${'22'.repeat(16)}0102030405060000`);
});

test('`decodeChunkRef` reads back what `encodeChunkRef` wrote, at any place, and no byte is written beside it', () => {
	fc.assert(
		fc.property(anyRef, fc.nat(100), (ref, at) => {
			const bytes = Buffer.alloc(at + chunkRefBytes + 3, 0xee);
			encodeChunkRef(ref, bytes, at);
			assert.deepEqual(decodeChunkRef(bytes, at), ref);
			assert.equal(bytes.readUInt8(at + chunkRefBytes), 0xee);
		}),
	);
});

test('`encodeChunkRef` of `zero` overwrites 56 bytes with zeros, which `decodeChunkRef` reads as `zero`', () => {
	const bytes = Buffer.alloc(chunkRefBytes, 0xff);
	encodeChunkRef('zero', bytes);
	assert.equal(decodeChunkRef(bytes), 'zero');
	assert.ok(bytes.every(byte => byte === 0));
});

test('`decodeChunkRef` without stored bytes, with too many, or cut short is `format_damaged`', () => {
	const bytes = Buffer.alloc(chunkRefBytes);
	bytes[0] = 1;
	assert.throws(() => decodeChunkRef(bytes), { code: 'format_damaged' });
	bytes.writeUInt32LE(16 * 1024 * 1024 + 2, 52);
	assert.throws(() => decodeChunkRef(bytes), { code: 'format_damaged' });
	assert.throws(() => decodeChunkRef(bytes.subarray(1)), { code: 'format_damaged' });
});

test('`decodeChunk` reads back what `encodeChunk` wrote, whatever is in it', async () => {
	const contents = fc.oneof(
		fc.uint8Array({ minLength: 1, maxLength: 5000 }),
		fc
			.tuple(fc.uint8Array({ minLength: 1, maxLength: 4 }), fc.integer({ min: 1, max: 200_000 }))
			.map(([b, n]) => Buffer.alloc(n, b)),
	);
	await fc.assert(
		fc.asyncProperty(contents, async raw => {
			const stored = await encodeChunk(raw);
			assert.ok(stored.length <= raw.length + 1);
			assert.deepEqual(decodeChunk(refTo(raw), stored, raw.length), Buffer.from(raw));
		}),
	);
});

test('`encodeChunk` stores raw what does not shrink, and compresses what does', async () => {
	const dense = await encodeChunk(noise(10_000, 1));
	assert.equal(dense[0], 0);
	assert.equal(dense.length, 10_001);
	const sparse = await encodeChunk(Buffer.alloc(10_000, 'text '));
	assert.equal(sparse[0], 1);
	assert.ok(sparse.length < 100);
});

test('`encodeChunk` writes the size into the frame, so that no reader sets aside more', async () => {
	const stored = await encodeChunk(Buffer.alloc(100_000, 'text '));
	// RFC 8878, 3.1.1.1.1: single segment flag in the frame header descriptor, behind codec byte and magic.
	assert.equal((stored[5] ?? 0) & 0x20, 0x20);
	assert.equal(stored.readUInt32LE(6), 100_000);
});

test('`decodeChunk` of a raw chunk keeps no hold of the buffer that it came from', async () => {
	const raw = noise(1000, 2);
	const stored = await encodeChunk(raw);
	const decoded = decodeChunk(refTo(raw), stored, raw.length);
	stored.fill(0);
	assert.deepEqual(decoded, raw);
});

test('`decodeChunk` with any one bit flipped is `chunk_bad`, or right all the same', async () => {
	for (const raw of [noise(300, 3), Buffer.alloc(3000, 'some text that shrinks ')]) {
		const stored = await encodeChunk(raw);
		for (let at = 0; at < stored.length; at++) {
			const flipped = Buffer.from(stored);
			flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << (at % 8)), at);
			let decoded: Buffer | undefined;
			try {
				decoded = decodeChunk(refTo(raw), flipped, raw.length);
			} catch (error) {
				assert.equal(error instanceof Error && 'code' in error && error.code, 'chunk_bad', `byte ${at}`);
			}
			// A bit of the zstd header may mean nothing to the content: what comes out is right then, or nothing does.
			if (decoded) assert.deepEqual(decoded, raw);
		}
	}
});

test('`decodeChunk` cut short, of an unknown codec, of another size or content is `chunk_bad` and names the digest', async () => {
	const raw = Buffer.alloc(3000, 'some text that shrinks ');
	const stored = await encodeChunk(raw);
	const ref = refTo(raw);
	const bad = { code: 'chunk_bad', message: new RegExp(ref.digest) };
	assert.throws(() => decodeChunk(ref, stored.subarray(0, -1), raw.length), bad);
	assert.throws(() => decodeChunk(ref, stored.subarray(0, 1), raw.length), bad);
	assert.throws(() => decodeChunk(ref, Buffer.alloc(0), raw.length), bad);
	assert.throws(() => decodeChunk(ref, Buffer.concat([Buffer.from([7]), raw]), raw.length), bad);
	assert.throws(() => decodeChunk(ref, stored, raw.length - 1), bad);
	assert.throws(() => decodeChunk(ref, stored, raw.length + 1), bad);
	assert.throws(() => decodeChunk(refTo(noise(3000, 4)), stored, raw.length), bad);
});

test('`decodeChunk` of arbitrary bytes is `chunk_bad`', () => {
	fc.assert(
		fc.property(fc.uint8Array({ maxLength: 200 }), stored => {
			assert.throws(() => decodeChunk(refTo(Buffer.from('wanted')), stored, 6), { code: 'chunk_bad' });
		}),
	);
});

test('`decodeChunk` of a frame that unpacks to far more than a chunk is `chunk_bad`', () => {
	const bomb = Buffer.concat([Buffer.from([1]), zstdCompressSync(Buffer.alloc(64 * 1024 * 1024))]);
	assert.ok(bomb.length < 10_000);
	assert.throws(() => decodeChunk(refTo(Buffer.alloc(4096)), bomb, 4096), { code: 'chunk_bad' });
});

test('`decodeChunk` of a frame that wants a window over 16 MiB is `chunk_bad`', () => {
	const raw = Buffer.alloc(4096, 'x');
	const params = { [constants.ZSTD_c_windowLog]: 27, [constants.ZSTD_c_contentSizeFlag]: 0 };
	const frame = Buffer.from('28b52ffd00880900000000', 'hex');
	frame.writeUInt8((27 - 10) << 3, 5); // window descriptor: RFC 8878, 3.1.1.1.2
	assert.throws(() => decodeChunk(refTo(raw), Buffer.concat([Buffer.from([1]), frame]), 4096), { code: 'chunk_bad' });
	// The same content in an honest frame is fine.
	const honest = Buffer.concat([Buffer.from([1]), zstdCompressSync(raw, { params })]);
	assert.deepEqual(decodeChunk(refTo(raw), honest, 4096), raw);
});

test('`Page` reads back what `encodePage` wrote', () => {
	fc.assert(
		fc.property(fc.array(fc.oneof(anyRef, fc.constant('zero' as const)), { minLength: 1, maxLength: 50 }), entries => {
			const page = new Page(encodePage(entries));
			assert.equal(page.entries, entries.length);
			for (const [index, entry] of entries.entries()) {
				assert.deepEqual(page.entry(index), entry);
				assert.equal(page.isZero(index), entry === 'zero');
			}
		}),
	);
});

test('`Page` of no entries, or of a part of one, is `format_damaged`', () => {
	assert.throws(() => new Page(Buffer.alloc(0)), { code: 'format_damaged' });
	assert.throws(() => new Page(Buffer.alloc(57)), { code: 'format_damaged' });
});

test('`pageMapOf` puts every chunk into one leaf and every page into one page, up to one root', () => {
	fc.assert(
		fc.property(
			fc.integer({ min: 1, max: 2 ** 50 }),
			fc.constantFrom(4096, 65536, 131072),
			(sizeBytes, chunkSizeBytes) => {
				const map = pageMapOf({ sizeBytes, chunkSizeBytes });
				assert.equal(map.levels.at(-1), 1);
				let below = map.chunkCount;
				for (const [level, pages] of map.levels.entries()) {
					const last = entriesOfPage(map, level, pages - 1);
					assert.ok(last >= 1 && last <= 1024);
					assert.equal((pages - 1) * 1024 + last, below);
					below = pages;
				}
				const tail = chunkRawBytes(map, map.chunkCount - 1);
				assert.ok(tail >= 1 && tail <= chunkSizeBytes);
				assert.equal((map.chunkCount - 1) * chunkSizeBytes + tail, sizeBytes);
			},
		),
	);
	assert.deepEqual(pageMapOf({ sizeBytes: 2 ** 41, chunkSizeBytes: 131072 }).levels, [16384, 16, 1]);
});

const anyPack = fc
	.record({
		packId: hex(16),
		chunks: fc.array(
			fc.record({
				digest: hex(32),
				storedBytes: fc.integer({ min: 1, max: 1e6 }),
				rawBytes: fc.integer({ min: 1, max: 1e6 }),
			}),
			{ maxLength: 30 },
		),
	})
	.map(({ packId, chunks }) => {
		let offsetBytes = 0;
		const placed = chunks.map(chunk => {
			const at = offsetBytes;
			offsetBytes += chunk.storedBytes;
			return { ...chunk, offsetBytes: at };
		});
		return { packId, chunks: placed, packBytes: offsetBytes + packEndBytes(chunks.length) };
	});

test('`decodePackEnd` reads back what `encodePackEnd` wrote', () => {
	fc.assert(
		fc.property(anyPack, ({ packId, chunks, packBytes }) => {
			assert.deepEqual(decodePackEnd(encodePackEnd({ packId, chunks }), packId, packBytes), { packId, chunks });
		}),
	);
});

test('`decodePackEnd` with any one byte changed, cut short, of another pack or size is `format_damaged`', () => {
	const damaged = { code: 'format_damaged' };
	fc.assert(
		fc.property(anyPack, fc.nat(), fc.integer({ min: 1, max: 255 }), ({ packId, chunks, packBytes }, at, flip) => {
			const end = encodePackEnd({ packId, chunks });
			assert.throws(() => decodePackEnd(end, 'f'.repeat(32), packBytes), damaged);
			assert.throws(() => decodePackEnd(end, packId, packBytes + 1), damaged);
			assert.throws(() => decodePackEnd(end.subarray(1), packId, packBytes), damaged);
			assert.throws(() => decodePackEnd(end.subarray(0, -1), packId, packBytes), damaged);
			const where = at % end.length;
			end.writeUInt8(end.readUInt8(where) ^ flip, where);
			assert.throws(() => decodePackEnd(end, packId, packBytes), damaged);
		}),
	);
});

test('`decodePackEnd` of arbitrary bytes is `format_damaged`', () => {
	fc.assert(
		fc.property(fc.uint8Array({ maxLength: 300 }), bytes => {
			const end = Buffer.from(bytes);
			assert.throws(() => decodePackEnd(end, '0'.repeat(32), end.length), { code: 'format_damaged' });
		}),
	);
});
