import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import type { OpenedDisk } from '../../sources/disk-facts.ts';
import { openSource } from '../../sources/open-source.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

const run = promisify(execFile);
const never = new AbortController().signal;
const mebibyte = 2 ** 20;

async function opened(t: TestContext, path: string, more = {}): Promise<OpenedDisk> {
	const source = await openSource(path, { partial: true, ...more, signal: never });
	t.after(() => source.close());
	return source;
}

/** Six MiB: random data, a hole, random data, and an end within a cluster. */
async function makeRaw(directory: string): Promise<{ raw: string; content: Buffer }> {
	const content = Buffer.alloc(6 * mebibyte + 3 * 512);
	randomBytes(2 * mebibyte).copy(content, 100_000);
	randomBytes(3 * mebibyte).copy(content, 3 * mebibyte);
	const raw = join(directory, 'raw');
	await writeFile(raw, content);
	return { raw, content };
}

interface Mapped {
	start: number;
	length: number;
	data: boolean;
	offset?: number;
}

const images: [what: string, format: string, options: string[]][] = [
	['qcow2', 'qcow2', []],
	['qcow2 with subclusters', 'qcow2', ['-o', 'extended_l2=on']],
	['sparse VMDK', 'vmdk', []],
	['VDI', 'vdi', []],
];

for (const [what, format, options] of images)
	test(`of a cut ${what} just what lies behind its end is missing, and the rest is read`, async t => {
		const directory = await temporaryDirectory(t);
		const { raw, content } = await makeRaw(directory);
		const image = join(directory, 'image');
		await run('qemu-img', ['convert', '-f', 'raw', '-O', format, ...options, raw, image]);
		assert.equal((await opened(t, image)).missing, undefined);
		const { stdout } = await run('qemu-img', ['map', '-f', format, '--output=json', image]);
		const map = (JSON.parse(stdout) as Mapped[]).filter(({ data, offset }) => data && offset !== undefined);
		const { size } = await stat(image);
		for (const place of [size - 100_000, size - 2 * mebibyte - 77, Math.floor(size / 3)]) {
			await truncate(image, place);
			const expected = Buffer.from(content);
			let [lengthBytes, atBytes] = [0, Number.POSITIVE_INFINITY];
			for (const { start, length, offset = 0 } of map) {
				const endBytes = Math.min(start + length, content.length);
				const from = Math.min(endBytes, Math.max(start, start + place - offset));
				if (from === endBytes) continue;
				expected.fill(0, from, endBytes);
				lengthBytes += endBytes - from;
				atBytes = Math.min(atBytes, from);
			}
			const source = await opened(t, image);
			// QEMU's disk is of whole sectors, or more.
			const { missing } = source;
			assert.ok(missing && missing.lengthBytes >= lengthBytes && missing.lengthBytes < lengthBytes + mebibyte);
			assert.equal(missing.atBytes, atBytes);
			const found = Buffer.alloc(source.sizeBytes, 1);
			await source.read(0, found, never);
			assert.ok(found.subarray(0, content.length).equals(expected), `${what} cut at ${place}`);
			for await (const { offsetBytes, lengthBytes: length, kind } of source.extents(never))
				if (kind === 'zero') assert.ok(found.subarray(offsetBytes, offsetBytes + length).every(byte => byte === 0));
			await source.close();
		}
	});

test('of a cut image with compressed data a piece is there whole or missing whole', async t => {
	for (const [format, options] of [
		['qcow2', ['-c']],
		['vmdk', ['-o', 'subformat=streamOptimized']],
	] as const) {
		const directory = await temporaryDirectory(t);
		const content = Buffer.from(randomBytes(3 * mebibyte).toString('hex'), 'latin1'); // shrinks by half
		const raw = join(directory, 'raw');
		await writeFile(raw, content);
		const image = join(directory, 'image');
		await run('qemu-img', ['convert', '-f', 'raw', '-O', format, ...options, raw, image]);
		const { size } = await stat(image);
		for (const place of [size - 70_000, size - mebibyte - 300, Math.floor(size / 3)]) {
			await truncate(image, place);
			const source = await opened(t, image);
			const found = Buffer.alloc(content.length);
			await source.read(0, found, never);
			let [missing, first] = [0, -1];
			for (let at = 0; at < content.length; at += 65_536) {
				const [is, was] = [found, content].map(all => all.subarray(at, at + 65_536));
				if (is === undefined || was === undefined || is.equals(was)) continue;
				assert.ok(
					is.every(byte => byte === 0),
					`${format} cut at ${place}: offset ${at}`,
				);
				if (first === -1) first = at;
				missing += was.length;
			}
			assert.deepEqual(source.missing, { atBytes: first, lengthBytes: missing });
			await source.close();
		}
	}
});

test('a short extent of a split VMDK, flat or sparse, lacks its own part of the disk', async t => {
	for (const [subformat, name] of [
		['twoGbMaxExtentSparse', 'web-s001.vmdk'],
		['monolithicFlat', 'web-flat.vmdk'],
	] as const) {
		const directory = await temporaryDirectory(t);
		const { raw, content } = await makeRaw(directory);
		const image = join(directory, 'web.vmdk');
		await run('qemu-img', ['convert', '-O', 'vmdk', '-o', `subformat=${subformat}`, raw, image]);
		const extent = join(directory, name);
		await truncate(extent, (await stat(extent)).size - mebibyte);
		const source = await opened(t, image);
		const found = Buffer.alloc(content.length);
		await source.read(0, found, never);
		const { atBytes = 0, lengthBytes = 0 } = source.missing ?? {};
		assert.ok(lengthBytes >= mebibyte && lengthBytes < mebibyte + 65_536);
		assert.ok(found.subarray(0, atBytes).equals(content.subarray(0, atBytes)));
		assert.ok(found.subarray(atBytes).every(byte => byte === 0));
		await source.close();
	}
});

test('a cut L2 table lacks all that it maps', async t => {
	const directory = await temporaryDirectory(t);
	const image = join(directory, 'image.qcow2');
	await run('qemu-img', ['create', '-f', 'qcow2', '-o', 'cluster_size=4096', image, '8M']);
	// With clusters of 4 KiB an L2 table maps 2 MiB.
	const writes = ['write -P 1 0 64k', 'write -P 2 5M 64k'].flatMap(each => ['-c', each]);
	await run('qemu-io', ['-f', 'qcow2', ...writes, image]);
	await truncate(image, (await stat(image)).size - 65_536 - 512);
	const source = await opened(t, image);
	assert.deepEqual(source.missing, { atBytes: 4 * mebibyte, lengthBytes: 2 * mebibyte });
	const found = Buffer.alloc(source.sizeBytes);
	await source.read(0, found, never);
	assert.ok(found.subarray(0, 65_536).every(byte => byte === 1) && found.subarray(65_536).every(byte => byte === 0));
});

test('what lacks its first table, is damaged, lies beneath, or is no format of which QEMU opens a part stays refused', async t => {
	const directory = await temporaryDirectory(t);
	const { raw } = await makeRaw(directory);
	const make = async (format: string, cutAt: (size: number) => number) => {
		const image = join(directory, `image.${format}`);
		await run('qemu-img', ['convert', '-f', 'raw', '-O', format, raw, image]);
		await truncate(image, cutAt((await stat(image)).size));
		return image;
	};
	const refused = (path: string, message: RegExp, hint = /./, more = {}) =>
		assert.rejects(opened(t, path, more), (error: { code: string; message: string; hint?: string }) => {
			assert.equal(error.code, 'source_invalid');
			assert.match(error.message, message);
			assert.match(error.hint ?? '', hint);
			return true;
		});
	await refused(await make('qcow2', () => 3 * 65_536 - 1), /cut short/);
	await refused(await make('vmdk', () => 1024), /cut short: .* its grain directory/, /^copy it again, whole$/);
	await refused(
		await make('vhdx', size => size - 6 * mebibyte),
		/cut short/,
		/^copy it again, whole; --partial is for qcow2, VMDK and VDI$/,
	);
	await refused(await make('vpc', size => size - 3 * mebibyte), /cut short|no footer/, /--partial is for qcow2/);
	const beneath = await make('qcow2', size => size - mebibyte);
	const top = join(directory, 'top.qcow2');
	await run('qemu-img', ['create', '-u', '-f', 'qcow2', '-F', 'qcow2', '-b', beneath, top, '8M']);
	await refused(top, /image\.qcow2 is cut short/, /./, { withBacking: true });
	await refused(top, /is only a part: the rest is in/);
});
