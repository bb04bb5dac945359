import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, chown, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import type { ImageTrust } from '../../sources/image-layers.ts';
import { openSource } from '../../sources/open-source.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

const run = promisify(execFile);
const { signal } = new AbortController();
const flat = randomBytes(64 * 512);

async function described(t: TestContext, kind: string, ...lines: string[]): Promise<string> {
	const path = join(await temporaryDirectory(t), 'web.vmdk');
	const start = ['# Disk DescriptorFile', 'version=1', 'CID=fffffffe', 'parentCID=ffffffff', `createType="${kind}"`];
	await writeFile(path, [...start, ...lines, ''].join('\n'));
	await writeFile(path.replace('.vmdk', '-flat.vmdk'), flat);
	return path;
}

async function contentOf(t: TestContext, path: string, trust: ImageTrust = {}): Promise<Buffer> {
	const source = await openSource(path, { ...trust, signal });
	t.after(() => source.close());
	const found = Buffer.alloc(source.sizeBytes, 0xee);
	let reached = 0;
	for await (const { offsetBytes, lengthBytes, kind } of source.extents(signal)) {
		assert.equal(offsetBytes, reached);
		reached += lengthBytes;
		if (kind === 'zero') found.fill(0, offsetBytes, reached);
	}
	assert.equal(reached, source.sizeBytes);
	const read = Buffer.alloc(source.sizeBytes, 0xee);
	for (let at = 0; at < read.length; at += 5000) await source.read(at, read.subarray(at, at + 5000), signal);
	await source.checkUnchanged?.();
	for (const [index, byte] of found.entries()) if (byte !== 0xee) assert.equal(read[index], byte);
	return read;
}

const zeros = (sectors: number) => Buffer.alloc(sectors * 512);
const descriptions: [what: string, kind: string, lines: string[], disk: Buffer][] = [
	['read-only bytes', 'monolithicFlat', ['RDONLY 64 FLAT "web-flat.vmdk" 0'], flat],
	['zeros behind', 'monolithicFlat', ['RW 64 FLAT "web-flat.vmdk" 0', 'RW 9 ZERO'], Buffer.concat([flat, zeros(9)])],
	['zeros before', 'custom', ['RDONLY 63 ZERO', 'RW 64 FLAT "web-flat.vmdk" 0'], Buffer.concat([zeros(63), flat])],
	['an offset on VMFS', 'vmfs', ['RW 60 VMFS "web-flat.vmdk" 4'], flat.subarray(4 * 512)],
	['no offset', 'monolithicFlat', ['RW 64 FLAT "web-flat.vmdk"'], flat],
	[
		'pieces in another order',
		'custom',
		['RW 32 FLAT "web-flat.vmdk" 32', 'RW 32 FLAT "web-flat.vmdk" 0'],
		Buffer.concat([flat.subarray(32 * 512), flat.subarray(0, 32 * 512)]),
	],
];

for (const [what, kind, lines, disk] of descriptions)
	test(`a flat VMDK with ${what}, of which QEMU leaves something out, is read as it is described`, async t => {
		assert.ok((await contentOf(t, await described(t, kind, ...lines))).equals(disk));
	});

test('a flat VMDK that only we read is refused when it is short, and is taken in part', async t => {
	const path = await described(t, 'custom', 'RW 8 ZERO', 'RDONLY 80 FLAT "web-flat.vmdk" 0');
	await assert.rejects(openSource(path, { signal }), { message: /web-flat\.vmdk is cut short/ });
	const disk = await contentOf(t, path, { partial: true });
	assert.ok(disk.equals(Buffer.concat([zeros(8), flat, zeros(16)])));
});

test('a VMDK that only we read is refused within a chain, which QEMU would read without it', async t => {
	const path = await described(t, 'custom', 'RDONLY 64 FLAT "web-flat.vmdk" 0');
	const top = `${path}.qcow2`;
	await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-u', '-b', path, '-F', 'vmdk', top, '32K']);
	await assert.rejects(openSource(top, { signal, withBacking: true }), {
		code: 'source_invalid',
		message: /web\.vmdk is of a kind that QEMU does not read, and belongs to a chain/,
	});
});

test('what the owner of a description may not read is not read for him', {
	skip: process.geteuid?.() !== 0,
}, async t => {
	const path = await described(t, 'custom', 'RDONLY 64 FLAT "web-flat.vmdk" 0');
	await chown(path, 65_534, 65_534);
	await chmod(path.replace('.vmdk', '-flat.vmdk'), 0o600);
	await assert.rejects(openSource(path, { signal }), { message: /web-flat\.vmdk may not be read by user 65534/ });
});
