import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import * as fc from 'fast-check';
import { decodeChunkInto, digestChunk, encodeChunk } from '../../repository/format/chunk.ts';
import { zstdContentBytes } from '../../repository/format/zstd-frame.ts';
import { proveZstdHandles } from '../../repository/format/zstd-proof.ts';
import { compressFrame, decompressFrame } from '../../repository/format/zstd.ts';
import { noise } from '../equipment/repositories.ts';

// All that follows is with handles that are used again.
assert.equal(await proveZstdHandles(), true, 'the handles of this Node do what they should');

/** Some text, some noise, in pieces of any length. */
const mixed = fc
	.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 30_000 })), { minLength: 1, maxLength: 8 })
	.map(parts =>
		Buffer.concat(parts.map(([text, bytes], seed) => (text ? Buffer.alloc(bytes, 'text ') : noise(bytes, seed)))),
	);

test('`compressFrame` makes what another program unpacks, single-segment with its size, and `decompressFrame` too', () => {
	fc.assert(
		fc.property(mixed, raw => {
			const into = Buffer.from(new SharedArrayBuffer(raw.length + 2_000));
			const bytes = compressFrame(raw, into, 1_000, raw.length + 1_000);
			assert.ok(bytes !== undefined);
			const frame = Buffer.from(into.subarray(1_000, 1_000 + bytes));
			assert.equal(zstdContentBytes(frame), raw.length);
			assert.ok(zstdDecompressSync(frame).equals(raw));
			const unpacked = Buffer.from(new SharedArrayBuffer(raw.length));
			assert.equal(decompressFrame(into.subarray(1_000, 1_000 + bytes), unpacked), raw.length);
			assert.ok(unpacked.equals(raw));
		}),
		{ numRuns: 200 },
	);
});

test('`compressFrame` says when a frame is not shorter than was asked for, and writes nothing behind that', () => {
	const raw = noise(65_536, 1);
	const into = Buffer.alloc(70_000, 0xaa);
	assert.equal(compressFrame(raw, into, 0, 60_000), undefined);
	assert.ok(into.subarray(60_000).every(byte => byte === 0xaa));
	const text = Buffer.alloc(65_536, 'text ');
	const bytes = compressFrame(text, into, 0, 60_000);
	assert.ok(bytes !== undefined && zstdDecompressSync(into.subarray(0, bytes)).equals(text));
	assert.equal(compressFrame(text, into, 0, bytes), undefined);
	assert.equal(compressFrame(text, into, 0, bytes + 1), bytes);
});

test('`decompressFrame` throws for a frame that is damaged, and unpacks the next one all the same', () => {
	const raw = Buffer.concat([Buffer.alloc(30_000, 'text '), noise(20_000, 2)]);
	const frame = zstdCompressSync(raw);
	const good = Buffer.alloc(raw.length);
	const into = Buffer.alloc(raw.length);
	fc.assert(
		fc.property(fc.nat(frame.length - 1), fc.integer({ min: 1, max: 255 }), fc.boolean(), (at, flip, cut) => {
			const damaged = Buffer.from(cut ? frame.subarray(0, at) : frame);
			if (!cut) damaged[at] = (damaged[at] ?? 0) ^ flip;
			try {
				decompressFrame(damaged, into); // wrong bytes are the digest's to find
			} catch (error) {
				assert.ok(error instanceof Error && 'code' in error, String(error));
			}
			assert.equal(decompressFrame(frame, good), raw.length);
			assert.ok(good.equals(raw));
		}),
		{ numRuns: 300 },
	);
});

test('`decodeChunkInto` gives what `encodeChunk` was given, from and to shared memory, or `chunk_bad`', () => {
	const place = { packId: 'ab'.repeat(16), offsetBytes: 0 };
	fc.assert(
		fc.property(mixed, fc.nat(), fc.integer({ min: 1, max: 255 }), (raw, anywhere, flip) => {
			const digested = digestChunk(raw, 16_384);
			const encoded = encodeChunk(digested);
			const stored = Buffer.from(new SharedArrayBuffer(encoded.length));
			encoded.copy(stored);
			const ref = { ...place, digest: digested.digest.toString('hex'), storedBytes: stored.length };
			const into = Buffer.from(new SharedArrayBuffer(raw.length));
			decodeChunkInto(ref, stored, into);
			assert.ok(into.equals(raw));
			const at = anywhere % stored.length;
			stored[at] = (stored[at] ?? 0) ^ flip;
			try {
				decodeChunkInto(ref, stored, into);
			} catch (error) {
				assert.ok(error instanceof Error && 'code' in error && error.code === 'chunk_bad', String(error));
				return;
			}
			// A flip that changes no byte of what is unpacked, such as one in a header's unused bits.
			assert.ok(into.equals(raw));
		}),
		{ numRuns: 200 },
	);
});

test('the self-test fails where streams have no handles that can be used again', async () => {
	const spoil = `
		import { ZstdCompress } from 'node:zlib';
		const set = function (handle) {
			const value = Object.assign(handle, { reset: undefined });
			Object.defineProperty(this, '_handle', { value, writable: true });
		};
		Object.defineProperty(ZstdCompress.prototype, '_handle', { set });`;
	const selfTest = fileURLToPath(new URL('../../repository/format/zstd-self-test.ts', import.meta.url));
	const args = ['--import', `data:text/javascript,${encodeURIComponent(spoil)}`, selfTest];
	await assert.rejects(promisify(execFile)(process.execPath, args), /it is not done by handles/);
});
