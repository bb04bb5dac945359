import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { maxStoredBytes } from '../../model/chunk-bounds.ts';
import { RouseError } from '../../model/errors.ts';
import { sha256Of } from '../../repository/format/sha256.ts';
import { decodeHeader, encodeHeader } from '../../repository/format/header.ts';
import { decodeManifest, encodeManifest, type Manifest } from '../../repository/format/manifest.ts';
import { canonicalJson } from '../../repository/format/sealed-json.ts';
import { sampleConfig, sampleDisks } from '../equipment/sample-config.ts';

const header = {
	id: '0b2a8f52-58a5-4c6a-9d8e-0e4f6a7d1c11',
	digest: 'blake3',
	chunkSizeBytes: 131072,
	frameSizeBytes: 65536,
} as const;
const manifest: Manifest = {
	repositoryId: header.id,
	machine: 'web01',
	time: '2026-11-20T03:00:00.000Z',
	importId: '5f1c7c52-0e58-4c55-8f0e-3a9f4f1e2d11',
	config: sampleConfig,
	facts: {},
	disks: [
		{ sizeBytes: 1000, chunkSizeBytes: 131072, frameSizeBytes: 65536, contentDigest: 'ab'.repeat(32), dataBytes: 0 },
	],
};

/** The object as somebody would write it who knows the format, with other members. */
function reseal(bytes: Buffer, change: (members: Record<string, unknown>) => void): Buffer {
	const members: Record<string, unknown> = JSON.parse(bytes.toString());
	delete members['checksum'];
	change(members);
	const checksum = sha256Of(Buffer.from(canonicalJson(members)));
	return Buffer.from(canonicalJson({ ...members, checksum }));
}

test('`encodeHeader` gives canonical JSON that `decodeHeader` reads back', () => {
	const text = encodeHeader(header).toString();
	assert.match(
		text,
		/^\{"checksum":"[0-9a-f]{64}","chunkSizeBytes":131072,"digest":"blake3","frameSizeBytes":65536,"id":"0b2a8f52-58a5-4c6a-9d8e-0e4f6a7d1c11","type":"rouse-repository","version":1\}$/,
	);
	assert.deepEqual(decodeHeader(Buffer.from(text)), header);
});

test('`decodeHeader` of a newer version is `repository_unsupported`, exit code 10, whatever else it says', () => {
	const newer = reseal(encodeHeader(header), members =>
		Object.assign(members, { version: 2, encryption: { kdf: 'x' } }),
	);
	assert.throws(() => decodeHeader(newer), { code: 'repository_unsupported', exitCode: 10, message: /version 2/ });
});

test('`decodeHeader` of version 0 is `repository_unsupported` and says what to do', () => {
	const older = reseal(encodeHeader(header), members => Object.assign(members, { version: 0, features: [] }));
	assert.throws(() => decodeHeader(older), {
		code: 'repository_unsupported',
		message: /version 0: of before the first release/,
		hint: /import the machines again/,
	});
});

test('`decodeHeader` whose version has a flipped digit is `format_damaged`: damage is never "too new"', () => {
	const flipped = Buffer.from(encodeHeader(header).toString().replace('"version":1', '"version":3'));
	assert.throws(() => decodeHeader(flipped), { code: 'format_damaged', exitCode: 9, message: /checksum/ });
});

test('`canonicalJson` sorts keys as RFC 8785 does, those that look like numbers too', () => {
	assert.equal(
		canonicalJson({ b: [1, { d: null, c: 'é' }], 9: 1, 10: 2, a: undefined }),
		'{"10":2,"9":1,"b":[1,{"c":"é","d":null}]}',
	);
});

test('`decodeManifest` ignores what it does not know under `facts` and `config.origin`, and nothing else', () => {
	const origin = { ...sampleConfig.origin, region: 'eu-west-1' };
	const known = reseal(encodeManifest(manifest), members =>
		Object.assign(members, { facts: { agent: { 1: true } }, config: { ...sampleConfig, origin } }),
	);
	assert.deepEqual(decodeManifest(known, 'a key').config, sampleConfig);
	const unknown = reseal(encodeManifest(manifest), members =>
		Object.assign(members, { config: { ...sampleConfig, more: 1 } }),
	);
	assert.throws(() => decodeManifest(unknown, 'a key'), { code: 'format_damaged' });
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
	const root = { digest: 'cd'.repeat(32), packId: '1'.repeat(32), offsetBytes: 0, storedBytes: maxStoredBytes };
	const [disk] = manifest.disks;
	assert.ok(disk);
	const whole = { ...disk, dataBytes: 1000, root };
	const bytes = encodeManifest({ ...manifest, disks: [whole] });
	assert.deepEqual(decodeManifest(bytes, 'a key').disks[0]?.root, root);
	const larger = { ...whole, root: { ...root, storedBytes: root.storedBytes + 1 } };
	const wrong = reseal(bytes, members => Object.assign(members, { disks: [larger] }));
	assert.throws(() => decodeManifest(wrong, 'a key'), { code: 'format_damaged' });
	for (const change of [{ root: undefined }, { dataBytes: 0 }, { dataBytes: 1001 }])
		assert.throws(() => encodeManifest({ ...manifest, disks: [{ ...whole, ...change }] }), /does not fit/);
	const missing = { atBytes: 1, lengthBytes: 1000 };
	assert.throws(() => encodeManifest({ ...manifest, disks: [{ ...whole, missing }] }), /does not fit/);
});

test('`decodeHeader` of what only an enemy writes is `format_damaged`, in a message of a line', () => {
	const nested = `{"more":${'['.repeat(30_000)}${']'.repeat(30_000)},"type":"rouse-repository","version":1}`;
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
