import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { RouseError } from '../../model/errors.ts';
import {
	decodeHeader,
	encodeHeader,
	headerBytes,
	mapMagic,
	newNonce,
	RecordCodec,
} from '../../movers/restored-map/layout.ts';
import { identityOfDisk } from '../equipment/restored-maps.ts';

test('`mapMagic` is the start of the digest of the sentence that docs/format.md names', () => {
	const digest = createHash('sha256').update('Rouse restored map').digest();
	assert.deepEqual(mapMagic, digest.subarray(0, 8));
});

test('`decodeHeader` of a map reads back what `encodeHeader` wrote', () => {
	const header = { identity: identityOfDisk(1000), targetReadsZero: true, nonce: newNonce() };
	assert.deepEqual(decodeHeader(encodeHeader(header), 'map'), header);
});

test('`decodeHeader` of a map with any bit flipped is `format_damaged`', () => {
	const bytes = encodeHeader({ identity: identityOfDisk(1000), targetReadsZero: false, nonce: newNonce() });
	for (let bit = 0; bit < bytes.length * 8; bit += 1) {
		const flipped = Buffer.from(bytes);
		flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
		assert.throws(() => decodeHeader(flipped, 'map'), code('format_damaged'), `bit ${bit}`);
	}
});

test('`decodeHeader` of a map of a newer version is `repository_unsupported`', async () => {
	const { crc32 } = await import('node:zlib');
	const bytes = encodeHeader({ identity: identityOfDisk(1000), targetReadsZero: false, nonce: newNonce() });
	bytes.writeUInt32LE(1, 8);
	bytes.writeUInt32LE(crc32(bytes.subarray(0, headerBytes - 4)), headerBytes - 4);
	assert.throws(() => decodeHeader(bytes, 'map'), code('repository_unsupported'));
});

test('`RecordCodec.decode` knows a record only at its own place in its own map', () => {
	const one = new RecordCodec({ identity: identityOfDisk(100), targetReadsZero: true, nonce: newNonce() });
	const other = new RecordCodec({ identity: identityOfDisk(100), targetReadsZero: true, nonce: newNonce() });
	const bytes = one.encode(7, [{ first: 3, count: 4 }]);
	assert.deepEqual(one.decode(bytes, 0, 7), { first: 3, count: 4 });
	assert.equal(one.decode(bytes, 0, 8), undefined);
	assert.equal(other.decode(bytes, 0, 7), undefined);
});

test('`RecordCodec.encode` of an empty range, or one beyond the disk, is `internal`', () => {
	const codec = new RecordCodec({ identity: identityOfDisk(100), targetReadsZero: true, nonce: newNonce() });
	assert.throws(() => codec.encode(0, [{ first: 99, count: 2 }]), code('internal'));
	assert.throws(() => codec.encode(0, [{ first: 1, count: 0 }]), code('internal'));
});

function code(wanted: string) {
	return (error: unknown) => error instanceof RouseError && error.code === wanted;
}
