import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { open, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { openSource } from '../../sources/open-source.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

const run = promisify(execFile);
const { signal } = new AbortController();
const [sector, grain, mebibyte] = [512, 4096, 2 ** 20];
/** Entries of a grain table, of which each maps 16 MiB. */
const perTable = 4096;
const diskBytes = 20 * mebibyte;
/** In sectors, as ESXi has them; see `check_se_sparse_const_header` in block/vmdk.c of QEMU. */
const [journalAt, directoryAt, directorySectors, tablesAt, tableSectors] = [2048, 4096, 8, 4104, 64];
const grainsAt = tablesAt + 2 * tableSectors;

/** No tool but ESXi writes SEsparse. This one is made by what QEMU reads, and read by QEMU as well. */
async function sesparse(directory: string, grains: readonly { onDisk: number; number: number; bytes: Buffer }[]) {
	const path = join(directory, 'web-sesparse.vmdk');
	const field = (at: number, value: number | bigint) => [at, BigInt(value)] as const;
	const header = sectorOf([
		field(0, 0xcafebabe),
		field(8, 0x2_0000_0001n),
		field(16, diskBytes / sector),
		field(24, grain / sector),
		field(32, tableSectors),
		field(80, 1),
		field(88, 1),
		field(96, 2),
		field(104, 2),
		field(112, journalAt),
		field(120, journalAt),
		field(128, directoryAt),
		field(136, directorySectors),
		field(144, tablesAt),
		field(152, 2 * tableSectors),
		field(192, grainsAt),
	]);
	const file = await open(path, 'w');
	await file.write(header, 0, sector, 0);
	await file.write(sectorOf([field(0, 0xcafecafe)]), 0, sector, sector);
	// The two tables are in the other order than what they map.
	await file.write(entries([0x10000000_00000001n, 0x10000000_00000000n]), 0, 16, directoryAt * sector);
	const zeroed = entries([0x20000000_00000000n]);
	await file.write(zeroed, 0, 8, entryAt(2));
	for (const { onDisk, number, bytes } of grains) {
		const entry = (3n << 60n) | (BigInt(number & 0xfff) << 48n) | BigInt(number >> 12);
		await file.write(entries([entry]), 0, 8, entryAt(onDisk));
		await file.write(bytes, 0, grain, grainsAt * sector + number * grain);
	}
	await file.close();
	const text = ['# Disk DescriptorFile', 'version=1', 'CID=1', 'parentCID=ffffffff', 'createType="seSparse"'];
	const image = join(directory, 'web.vmdk');
	await writeFile(image, [...text, `RW ${diskBytes / sector} SESPARSE "web-sesparse.vmdk"`, ''].join('\n'));
	return { image, path };
}

function entryAt(grainOnDisk: number): number {
	const table = grainOnDisk < perTable ? 1 : 0;
	return (tablesAt + table * tableSectors) * sector + (grainOnDisk % perTable) * 8;
}

function sectorOf(fields: readonly (readonly [number, bigint])[]): Buffer {
	const bytes = Buffer.alloc(sector);
	for (const [at, value] of fields) bytes.writeBigUInt64LE(value, at);
	return bytes;
}

function entries(values: readonly bigint[]): Buffer {
	const bytes = Buffer.alloc(values.length * 8);
	for (const [at, value] of values.entries()) bytes.writeBigUInt64LE(value, at * 8);
	return bytes;
}

async function read(image: string, more = {}) {
	const source = await openSource(image, { ...more, signal });
	try {
		const content = Buffer.alloc(source.sizeBytes);
		await source.read(0, content, signal);
		return { content, missing: source.missing };
	} finally {
		await source.close();
	}
}

test('an SEsparse disk is what QEMU reads of it, and refused or a part where its grains are cut', async t => {
	const directory = await temporaryDirectory(t);
	// One number has more than twelve bits: its upper part lies elsewhere in the entry.
	const grains = [
		{ onDisk: 0, number: 0 },
		{ onDisk: 5, number: 4097 },
		{ onDisk: perTable + 3, number: 1 },
	].map(each => ({ ...each, bytes: randomBytes(grain) }));
	const { image, path } = await sesparse(directory, grains);
	const expected = Buffer.alloc(diskBytes);
	for (const { onDisk, bytes } of grains) bytes.copy(expected, onDisk * grain);
	const raw = join(directory, 'raw');
	await run('qemu-img', ['convert', '-f', 'vmdk', '-O', 'raw', image, raw]);
	assert.ok((await readFile(raw)).equals(expected), 'QEMU reads what was made');
	assert.ok((await read(image)).content.equals(expected));

	await truncate(path, (await stat(path)).size - 512);
	const cut = { code: 'source_invalid', message: /web-sesparse\.vmdk is cut short: .* before its grain at offset/ };
	await assert.rejects(read(image), cut);
	const missingAt = 6 * grain - 512;
	const part = await read(image, { partial: true });
	assert.deepEqual(part.missing, { atBytes: missingAt, lengthBytes: 512 });
	assert.ok(part.content.equals(expected.fill(0, missingAt, missingAt + 512)));
	await truncate(path, (tablesAt + tableSectors + 1) * sector);
	await assert.rejects(read(image), { message: /before its grain table at offset/ });
	const half = (await read(image, { partial: true })).missing;
	assert.deepEqual(half, { atBytes: 0, lengthBytes: 16 * mebibyte + grain });
});

test('an SEsparse disk whose journal has to be replayed is refused', async t => {
	const directory = await temporaryDirectory(t);
	const { image, path } = await sesparse(directory, [{ onDisk: 0, number: 0, bytes: randomBytes(grain) }]);
	const file = await open(path, 'r+');
	await file.write(Buffer.from([1]), 0, 1, sector + 24);
	await file.close();
	await assert.rejects(read(image), {
		code: 'source_invalid',
		message: /web\.vmdk was not closed: what was written last is still in its journal$/,
		hint: 'start and shut down its machine where it ran, and copy it again',
	});
});
