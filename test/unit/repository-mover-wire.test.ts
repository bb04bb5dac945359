import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { maxStoredBytes, minStoredBytes } from '../../model/chunk.ts';
import {
	decodeRequest,
	encodeChunkFrame,
	encodeErrorFrame,
	encodeRequest,
	FrameReader,
} from '../../movers/repository-mover/wire.ts';

const hex = (bytes: number) =>
	fc.uint8Array({ minLength: bytes, maxLength: bytes }).map(array => Buffer.from(array).toString('hex'));
const ref = fc.record(
	{
		digest: hex(32),
		packId: hex(16),
		offsetBytes: fc.integer({ min: 0, max: 0xffff_ffff - maxStoredBytes }),
		storedBytes: fc.integer({ min: minStoredBytes, max: maxStoredBytes }),
	},
	{ noNullPrototype: true },
);

test('`decodeRequest` reads back the references that `encodeRequest` wrote', () => {
	fc.assert(
		fc.property(fc.array(ref, { minLength: 1 }), refs => assert.deepEqual(decodeRequest(encodeRequest(refs)), refs)),
	);
});

test('`decodeRequest` of what is no list of references is `protocol`', () => {
	for (const body of [Buffer.alloc(0), Buffer.alloc(55, 1), Buffer.alloc(56)])
		assert.throws(() => decodeRequest(body), { code: 'protocol' }, `${body.length} bytes`);
});

test('`FrameReader` gives the frames that went in, however the stream is cut', () => {
	const chunks = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 10 });
	const cuts = fc.infiniteStream(fc.integer({ min: 1, max: 30 }));
	fc.assert(
		fc.property(chunks, cuts, (stored, sizes) => {
			const stream = Buffer.concat(stored.map(encodeChunkFrame));
			const reader = new FrameReader();
			const got: Buffer[] = [];
			for (let at = 0; at < stream.length; ) {
				const size = sizes.next().value;
				reader.push(stream.subarray(at, at + size));
				at += size;
				for (let frame = reader.next(); frame !== undefined; frame = reader.next()) got.push(Buffer.from(frame));
			}
			assert.deepEqual(
				got.map(frame => [...frame]),
				stored.map(frame => [...frame]),
			);
		}),
	);
});

test('`FrameReader` throws the error of an error frame once it is whole', () => {
	const document = { code: 'chunk_missing', message: 'gone', hint: 'put it back', details: { packId: 'ab' } } as const;
	const frame = encodeErrorFrame(document);
	const reader = new FrameReader();
	for (const byte of frame.subarray(0, -1)) {
		reader.push(Buffer.from([byte]));
		assert.equal(reader.next(), undefined);
	}
	reader.push(frame.subarray(-1));
	assert.throws(() => reader.next(), document);
});

test('`FrameReader` refuses a length that no honest mover sends before it waits for the bytes', () => {
	const reader = new FrameReader();
	reader.push(Buffer.from([0xff, 0xff, 0xff, 0x7f]));
	assert.throws(() => reader.next(), { code: 'protocol' });
});
