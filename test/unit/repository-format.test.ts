import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { constants, zstdCompressSync } from 'node:zlib';
import * as fc from 'fast-check';
import type { ChunkRef } from '../../model/chunk.ts';
import { maxStoredBytes, minStoredBytes } from '../../model/chunk-bounds.ts';
import { decodeChunk, digestChunk, encodeChunk, rawBytesOf } from '../../repository/format/chunk.ts';
import { mostStoredBytes } from '../../repository/format/frame-table.ts';
import { assembleStored } from '../equipment/assemble-stored.ts';
import { magic } from '../../repository/format/magic.ts';
import { decodePackEnd, encodePackEnd, packEndBytes } from '../../repository/format/pack.ts';
import { encodePage, Page } from '../../repository/format/page.ts';
import { chunkRawBytes, entriesOfPage, pageMapOf } from '../../repository/format/page-map.ts';
import { chunkRefBytes, decodeChunkRef, encodeChunkRef } from '../../repository/format/reference.ts';
import { zstdContentBytes } from '../../repository/format/zstd-frame.ts';
import { noise } from '../equipment/repositories.ts';

const hex = (bytes: number) =>
	fc.uint8Array({ minLength: bytes, maxLength: bytes }).map(b => Buffer.from(b).toString('hex'));
const plain = { noNullPrototype: true };
const anyRef: fc.Arbitrary<ChunkRef> = fc.record(
	{
		digest: hex(32),
		packId: hex(16),
		offsetBytes: fc.integer({ min: 0, max: 0xffff_ffff - maxStoredBytes }),
		storedBytes: fc.integer({ min: minStoredBytes, max: maxStoredBytes }),
	},
	plain,
);
const frameBytes = 16 * 1024;
const refTo = (raw: Uint8Array): ChunkRef => ({
	digest: digestChunk(Buffer.from(raw), frameBytes).digest.toString('hex'),
	packId: '0'.repeat(32),
	offsetBytes: 0,
	storedBytes: 100,
});
const encoded = (raw: Uint8Array) => encodeChunk(digestChunk(Buffer.from(raw), frameBytes));

test('`magic` numbers are the first 8 bytes of the digest of their sentence', () => {
	for (const { sentence, bytes } of Object.values(magic))
		assert.equal(createHash('sha256').update(sentence).digest('hex').slice(0, 16), bytes.toString('hex'), sentence);
});

test('`magic` numbers are those of docs/format.md', () => {
	const golden = {
		chunk: '14ae81c723c1fb3b',
		page: '72e3f1e731cca401',
		pageContent: '88202d7611513509',
		diskContent: 'b61dafa404a6e592',
		packFooter: 'fd81702015b72453',
		packTrailer: '98d7b4325df4fdf9',
		index: '0b4d1d75dd9c7b30',
		journal: '5c7fca88bf9775c6',
	};
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

test('`decodeChunkRef` without stored bytes, with too few or too many, or cut short is `format_damaged`', () => {
	const bytes = Buffer.alloc(chunkRefBytes);
	bytes[0] = 1;
	assert.throws(() => decodeChunkRef(bytes), { code: 'format_damaged' });
	for (const storedBytes of [minStoredBytes - 1, maxStoredBytes + 1]) {
		bytes.writeUInt32LE(storedBytes, 52);
		assert.throws(() => decodeChunkRef(bytes), { code: 'format_damaged' });
	}
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
			const stored = encoded(raw);
			assert.ok(stored.length <= raw.length + 4 + 36 * Math.ceil(raw.length / frameBytes));
			assert.equal(rawBytesOf(stored), raw.length);
			assert.deepEqual(decodeChunk(refTo(raw), stored, raw.length), Buffer.from(raw));
		}),
	);
});

test('`encodeChunk` stores raw what does not shrink, and compresses what does', async () => {
	const dense = encoded(noise(10_000, 1));
	assert.equal(dense.readUInt32LE(4), 10_000 + 0x8000_0000);
	assert.equal(dense.length, 4 + 36 + 10_000);
	const sparse = encoded(Buffer.alloc(10_000, 'text '));
	assert.equal(sparse.readUInt32LE(4), sparse.length - 40);
	assert.ok(sparse.length < 140);
	const both = encoded(Buffer.concat([noise(frameBytes, 1), Buffer.alloc(frameBytes, 'text ')]));
	assert.equal(both.readUInt32LE(4), frameBytes + 0x8000_0000);
	assert.ok(both.readUInt32LE(4 + 36) < 100);
});

test('`encodeChunk` writes single-segment frames that tell their size, at every size that a frame may have', async () => {
	for (const size of [1, 255, 256, 65_535, 65_536, 65_791, 65_792, 1 << 24]) {
		const stored = encodeChunk(digestChunk(Buffer.alloc(size, 'text '), 1 << 24));
		if (stored.readUInt32LE(4) >= 0x8000_0000) continue; // too short to shrink
		assert.equal(zstdContentBytes(stored.subarray(40)), size);
	}
});

test('`zstdContentBytes` tells the size of frames with a checksum, of several blocks, and of one byte that repeats', () => {
	const raw = noise(300_000, 5);
	for (const [bytes, params] of [
		[raw, { [constants.ZSTD_c_checksumFlag]: 1 }],
		[raw, {}],
		[Buffer.alloc(200_000, 7), {}],
	] as const)
		assert.equal(zstdContentBytes(zstdCompressSync(bytes, { params, pledgedSrcSize: bytes.length })), bytes.length);
});

test('`mostStoredBytes` is what a chunk of noise takes in the smallest frames, and bounds every reference', async () => {
	const raw = noise(100_000, 6);
	assert.equal(encoded(raw).length, mostStoredBytes(raw.length));
	assert.equal(mostStoredBytes(1 << 24), maxStoredBytes);
	assert.equal(mostStoredBytes(1), minStoredBytes);
});

test('`rawBytesOf` of a table with more than a chunk may have is undefined: nobody sets memory aside for it', () => {
	const frames = Array.from({ length: 2 }, () => ({ bytes: Buffer.alloc(1), raw: true }));
	assert.equal(rawBytesOf(assembleStored(1 << 24, Buffer.alloc(64), frames)), undefined);
	assert.equal(rawBytesOf(assembleStored(1 << 23, Buffer.alloc(64), frames)), (1 << 23) + 1);
});

test('`zstdContentBytes` refuses frames of several segments, without a size, with a dictionary, and what is no frame', () => {
	const raw = Buffer.alloc(100_000, 'text ');
	const whole = (params: Record<number, number>, more = {}) => zstdCompressSync(raw, { params, ...more });
	assert.equal(zstdContentBytes(whole({}, { pledgedSrcSize: raw.length })), raw.length);
	assert.equal(zstdContentBytes(whole({ [constants.ZSTD_c_contentSizeFlag]: 0 })), undefined);
	assert.equal(
		zstdContentBytes(whole({ [constants.ZSTD_c_windowLog]: 10 }, { pledgedSrcSize: raw.length })),
		undefined,
	);
	for (const text of ['', '28b52ffd', '28b52ffd20', '28b52ffd2101', '28b52ffd2801', '28b52ffe2001', '28b52ffde001'])
		assert.equal(zstdContentBytes(Buffer.from(text, 'hex')), undefined, text);
});

test('`decodeChunk` of a raw chunk keeps no hold of the buffer that it came from', async () => {
	const raw = noise(1000, 2);
	const stored = encoded(raw);
	const decoded = decodeChunk(refTo(raw), stored, raw.length);
	stored.fill(0);
	assert.deepEqual(decoded, raw);
});

test('`decodeChunk` with any one bit flipped is `chunk_bad`, or right all the same', async () => {
	for (const raw of [noise(300, 3), Buffer.alloc(40_000, 'some text that shrinks ')]) {
		const stored = encoded(raw);
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
	const raw = Buffer.alloc(40_000, 'some text that shrinks ');
	const stored = encoded(raw);
	const ref = refTo(raw);
	const bad = { code: 'chunk_bad', message: new RegExp(ref.digest) };
	assert.throws(() => decodeChunk(ref, stored.subarray(0, -1), raw.length), bad);
	assert.throws(() => decodeChunk(ref, stored.subarray(0, 1), raw.length), bad);
	assert.throws(() => decodeChunk(ref, Buffer.alloc(0), raw.length), bad);
	assert.throws(() => decodeChunk(ref, Buffer.concat([Buffer.from([7]), raw]), raw.length), bad);
	assert.throws(() => decodeChunk(ref, stored, raw.length - 1), bad);
	assert.throws(() => decodeChunk(ref, stored, raw.length + 1), bad);
	const other = refTo(noise(40_000, 4));
	assert.throws(() => decodeChunk(other, stored, raw.length), { code: 'chunk_bad', message: new RegExp(other.digest) });
	assert.throws(() => decodeChunk(ref, stored, raw.length, 'page'), bad);
});

test('`decodeChunk` of arbitrary bytes is `chunk_bad`', () => {
	fc.assert(
		fc.property(fc.uint8Array({ maxLength: 200 }), stored => {
			assert.throws(() => decodeChunk(refTo(Buffer.from('wanted')), stored, 6), { code: 'chunk_bad' });
		}),
	);
});

/** A stored chunk of one frame with these bytes as its zstd frame, its table honest but for that. */
function withFrame(raw: Buffer, body: Buffer): Buffer {
	const { frameDigests } = digestChunk(raw, frameBytes);
	return assembleStored(frameBytes, frameDigests, [{ bytes: body, raw: false }]);
}

test('`decodeChunk` of a frame that unpacks to far more than a chunk is `chunk_bad`, before it is unpacked', () => {
	const raw = Buffer.alloc(4096, 'x');
	const params = { [constants.ZSTD_c_windowLog]: 26 };
	const bomb = zstdCompressSync(Buffer.alloc(64 * 1024 * 1024), { params, pledgedSrcSize: 64 * 1024 * 1024 });
	assert.throws(() => decodeChunk(refTo(raw), withFrame(raw, bomb.subarray(0, 4000)), 4096), {
		code: 'chunk_bad',
		message: /a frame of 67108864 bytes, expected 4096/,
	});
	const lying = Buffer.from(bomb.subarray(0, 4000));
	lying.writeUInt32LE(4096, 5);
	assert.throws(() => decodeChunk(refTo(raw), withFrame(raw, lying), 4096), { code: 'chunk_bad' });
});

test('`rawBytesOf` has no answer for a stored chunk that says it unpacks to more than any chunk, nor for too many frames', () => {
	const largest = 1 << 24;
	const frame = zstdCompressSync(Buffer.alloc(largest), {
		params: { [constants.ZSTD_c_windowLog]: 24 },
		pledgedSrcSize: largest,
	});
	const storedOf = (count: number, bytes: Buffer) =>
		assembleStored(
			largest,
			Buffer.alloc(32 * count),
			Array.from({ length: count }, () => ({ bytes, raw: false })),
		);
	assert.equal(rawBytesOf(storedOf(1, frame)), largest);
	assert.equal(rawBytesOf(storedOf(2, frame)), undefined);
	const bytes = Buffer.from('x');
	const many = assembleStored(
		frameBytes,
		Buffer.alloc(32 * 1025),
		Array.from({ length: 1025 }, () => ({ bytes, raw: true })),
	);
	assert.throws(() => decodeChunk(refTo(bytes), many, 1025 * frameBytes), {
		code: 'chunk_bad',
		message: /1025 frames in/,
	});
});

test('`decodeChunk` of a frame that is not as docs/format.md allows is `chunk_bad`', () => {
	const raw = Buffer.alloc(4096, 'x');
	const sized = { pledgedSrcSize: raw.length };
	assert.deepEqual(decodeChunk(refTo(raw), withFrame(raw, zstdCompressSync(raw, sized)), 4096), raw);
	for (const body of [
		zstdCompressSync(raw, { params: { [constants.ZSTD_c_contentSizeFlag]: 0 } }),
		zstdCompressSync(raw, { params: { [constants.ZSTD_c_windowLog]: 10 }, ...sized }),
		...[
			Buffer.alloc(1),
			zstdCompressSync(Buffer.of(1), { pledgedSrcSize: 1 }),
			Buffer.from('502a4d1800000000', 'hex'),
		].map(behind => Buffer.concat([zstdCompressSync(raw, sized), behind])),
	])
		assert.throws(() => decodeChunk(refTo(raw), withFrame(raw, body), 4096), { code: 'chunk_bad' });
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
	.record(
		{
			packId: hex(16),
			kind: fc.constantFrom('chunk' as const, 'page' as const),
			rawBytes: fc.integer({ min: 1, max: 2 ** 40 }),
			dataDigest: hex(32).map(text => Buffer.from(text, 'hex')),
			chunks: fc.array(
				fc.record({ digest: hex(32), storedBytes: fc.integer({ min: minStoredBytes, max: 1e6 }) }, plain),
				{ minLength: 1, maxLength: 30 },
			),
		},
		plain,
	)
	.map(({ chunks, ...pack }) => {
		let offsetBytes = 0;
		const placed = chunks.map(chunk => {
			const at = offsetBytes;
			offsetBytes += chunk.storedBytes;
			return { ...chunk, offsetBytes: at };
		});
		return { footer: { ...pack, chunks: placed }, packBytes: offsetBytes + packEndBytes(chunks.length) };
	});

test('`decodePackEnd` reads back what `encodePackEnd` wrote', () => {
	fc.assert(
		fc.property(anyPack, ({ footer, packBytes }) => {
			assert.deepEqual(decodePackEnd(encodePackEnd(footer), footer.packId, packBytes), footer);
		}),
	);
});

test('`decodePackEnd` with any one byte changed, cut short, of another pack or size is `format_damaged`', () => {
	const damaged = { code: 'format_damaged' };
	fc.assert(
		fc.property(anyPack, fc.nat(), fc.integer({ min: 1, max: 255 }), ({ footer, packBytes }, at, flip) => {
			const end = encodePackEnd(footer);
			const { packId } = footer;
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
