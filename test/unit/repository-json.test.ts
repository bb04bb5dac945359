import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { RouseError } from '../../model/errors.ts';
import { digestOf } from '../../repository/format/chunk.ts';
import { decodeHeader, encodeHeader } from '../../repository/format/header.ts';
import { decodeManifest, encodeManifest, type Manifest } from '../../repository/format/manifest.ts';
import { canonicalJson } from '../../repository/format/sealed-json.ts';
import { sampleConfig, sampleDisks } from '../equipment/sample-config.ts';

const header = { id: '0b2a8f52-58a5-4c6a-9d8e-0e4f6a7d1c11', digest: 'sha256', chunkSizeBytes: 131072 } as const;
const manifest: Manifest = {
	repositoryId: header.id,
	machine: 'web01',
	time: '2026-11-20T03:00:00.000Z',
	config: sampleConfig,
	disks: [{ sizeBytes: 1000, chunkSizeBytes: 131072, contentDigest: 'ab'.repeat(32), dataBytes: 0 }],
};

/** The object as somebody would write it who knows the format, with other members. */
function reseal(bytes: Buffer, change: (members: Record<string, unknown>) => void): Buffer {
	const members: Record<string, unknown> = JSON.parse(bytes.toString());
	delete members['checksum'];
	change(members);
	const checksum = digestOf(Buffer.from(canonicalJson(members)));
	return Buffer.from(canonicalJson({ ...members, checksum }));
}

test('`encodeHeader` gives canonical JSON that `decodeHeader` reads back', () => {
	const text = encodeHeader(header).toString();
	assert.match(
		text,
		/^\{"checksum":"[0-9a-f]{64}","chunkSizeBytes":131072,"digest":"sha256","features":\[\],"id":"0b2a8f52-58a5-4c6a-9d8e-0e4f6a7d1c11","type":"rouse-repository","version":0\}$/,
	);
	assert.deepEqual(decodeHeader(Buffer.from(text)), header);
});

test('`decodeHeader` of a newer version is `repository_unsupported`, exit code 10, whatever else it says', () => {
	const newer = reseal(encodeHeader(header), members =>
		Object.assign(members, { version: 1, encryption: { kdf: 'x' } }),
	);
	assert.throws(() => decodeHeader(newer), { code: 'repository_unsupported', exitCode: 10, message: /version 1/ });
});

test('`decodeHeader` with an unknown feature is `repository_unsupported` and names it', () => {
	const newer = reseal(encodeHeader(header), members => Object.assign(members, { features: ['encryption'] }));
	assert.throws(() => decodeHeader(newer), { code: 'repository_unsupported', message: /encryption/ });
});

test('`decodeHeader` with an unknown digest or member, or a missing one, is `format_damaged`', () => {
	for (const change of [
		(members: Record<string, unknown>) => Object.assign(members, { digest: 'md5' }),
		(members: Record<string, unknown>) => Object.assign(members, { more: 1 }),
		(members: Record<string, unknown>) => delete members['id'],
		(members: Record<string, unknown>) => Object.assign(members, { type: 'rouse-manifest' }),
	])
		assert.throws(() => decodeHeader(reseal(encodeHeader(header), change)), { code: 'format_damaged' });
});

test('`decodeManifest` reads back what `encodeManifest` wrote, always in the same bytes', () => {
	const bytes = encodeManifest(manifest);
	assert.deepEqual(decodeManifest(bytes, 'key'), manifest);
	assert.deepEqual(encodeManifest(decodeManifest(bytes, 'key')), bytes);
});

test('`decodeManifest` with a configuration of other disks than it has is `format_damaged`', () => {
	const wrong = reseal(encodeManifest(manifest), members =>
		Object.assign(members, { config: { ...sampleConfig, disks: sampleDisks(2) } }),
	);
	assert.throws(() => decodeManifest(wrong, 'a key'), { code: 'format_damaged', message: /number of disks/ });
});

test('`decodeManifest` with any one byte changed is refused', () => {
	const bytes = encodeManifest(manifest);
	fc.assert(
		fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
			const changed = Buffer.from(bytes);
			changed.writeUInt8(changed.readUInt8(at) ^ flip, at);
			assert.throws(
				() => decodeManifest(changed, 'key'),
				(error: unknown) =>
					error instanceof Error &&
					'code' in error &&
					['format_damaged', 'repository_unsupported'].includes(String(error.code)),
			);
		}),
		{ numRuns: 500 },
	);
});

test('`decodeManifest` cut short, with white space or keys in another order is `format_damaged` and names the key', () => {
	const bytes = encodeManifest(manifest);
	const { checksum, ...rest } = JSON.parse(bytes.toString());
	for (const changed of [
		bytes.subarray(0, -1),
		Buffer.concat([bytes, Buffer.from('\n')]),
		Buffer.from(JSON.stringify({ ...rest, checksum })),
		Buffer.alloc(0),
		Buffer.from('null'),
	])
		assert.throws(() => decodeManifest(changed, 'points/web01/x'), {
			code: 'format_damaged',
			message: /points\/web01\/x/,
		});
});

test('`decodeManifest` with a root of more stored bytes than a chunk can have is `format_damaged`', () => {
	const root = { digest: 'cd'.repeat(32), packId: '1'.repeat(32), offsetBytes: 0, storedBytes: 16 * 1024 * 1024 + 1 };
	const [disk] = manifest.disks;
	assert.ok(disk);
	const bytes = encodeManifest({ ...manifest, disks: [{ ...disk, root }] });
	assert.deepEqual(decodeManifest(bytes, 'a key').disks[0]?.root, root);
	const larger = { ...disk, root: { ...root, storedBytes: root.storedBytes + 1 } };
	const wrong = reseal(bytes, members => Object.assign(members, { disks: [larger] }));
	assert.throws(() => decodeManifest(wrong, 'a key'), { code: 'format_damaged' });
});

test('`decodeHeader` of what only an enemy writes is `format_damaged`, in a message of a line', () => {
	const nested = `{"features":[],"more":${'['.repeat(30_000)}${']'.repeat(30_000)},"type":"rouse-repository","version":0}`;
	const withChecksum = (checksum: unknown) =>
		canonicalJson({ ...JSON.parse(encodeHeader(header).toString()), checksum });
	const sealed = (change: object) => reseal(encodeHeader(header), members => Object.assign(members, change));
	for (const bytes of [
		nested,
		withChecksum({ toString: 1, valueOf: 1 }),
		withChecksum('f'.repeat(10_000)),
		sealed({ type: 'x'.repeat(10_000) }),
		sealed(Object.fromEntries(Array.from({ length: 1000 }, (_, number) => [`member-${number}`, 1]))),
		sealed(JSON.parse('{"__proto__": 1, "constructor": 1}')),
	])
		assert.throws(
			() => decodeHeader(Buffer.from(bytes)),
			(error: unknown) => error instanceof RouseError && error.code === 'format_damaged' && error.message.length < 500,
		);
});

test('`decodeManifest` with a disk larger than disks may be is `format_damaged`', () => {
	const withDisk = (sizeBytes: number, chunkSizeBytes: number) => () =>
		decodeManifest(
			reseal(encodeManifest(manifest), members =>
				Object.assign(members, { disks: [{ ...manifest.disks[0], sizeBytes, chunkSizeBytes }] }),
			),
			'points/web01/x',
		);
	assert.equal(withDisk(2 ** 50, 2 ** 20)().disks.length, 1);
	assert.throws(withDisk(2 ** 50 + 1, 2 ** 20), { code: 'format_damaged', message: /at most 1\.00 PiB and/ });
	assert.equal(withDisk(2 ** 43, 4096)().disks.length, 1);
	assert.throws(withDisk(2 ** 43 + 1, 4096), { code: 'format_damaged', message: /2147483648 chunks/ });
});
