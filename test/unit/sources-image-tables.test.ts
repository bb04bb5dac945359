import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import * as fc from 'fast-check';
import { RouseError } from '../../model/errors.ts';
import { checkVdiMap, checkVhdMap } from '../../sources/block-maps.ts';
import { type OpenedFile, openFile } from '../../sources/opened-file.ts';
import { checkQcow2Tables } from '../../sources/qcow2-tables.ts';
import { mustLieInside } from '../../sources/reach.ts';
import { checkVhdx } from '../../sources/vhdx.ts';
import { checkVmdkTables } from '../../sources/vmdk-tables.ts';

const never = { signal: new AbortController().signal };
const directory = mkdtempSync(join(tmpdir(), 'rouse-test-'));
after(() => rmSync(directory, { recursive: true, force: true }));

type Check = (file: OpenedFile) => Promise<unknown>;
const vmdk: Check = file => checkVmdkTables(file, 0, never);
const qcow2: Check = file => checkQcow2Tables(file, undefined, never);
const checks: [what: string, format: string, options: string[], check: Check][] = [
	['checkQcow2Tables', 'qcow2', [], qcow2],
	['checkQcow2Tables of compressed clusters', 'qcow2', ['-c'], qcow2],
	['checkQcow2Tables of subclusters', 'qcow2', ['-o', 'extended_l2=on'], qcow2],
	['checkVmdkTables', 'vmdk', [], vmdk],
	['checkVmdkTables of a stream', 'vmdk', ['-o', 'subformat=streamOptimized'], vmdk],
	['checkVdiMap', 'vdi', [], file => checkVdiMap(file, never)],
	['checkVhdMap', 'vpc', [], file => checkVhdMap(file, never)],
	['checkVhdx', 'vhdx', [], file => checkVhdx(file, never)],
];

function imageOf(format: string, options: string[], disk = Buffer.alloc(300_032, 'some bytes')): Buffer {
	const raw = join(directory, 'raw');
	writeFileSync(raw, disk);
	const image = join(directory, 'made');
	execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', format, ...options, raw, image]);
	return readFileSync(image);
}

async function checked(content: Buffer, check: Check): Promise<void> {
	const path = join(directory, 'image');
	writeFileSync(path, content);
	const file = await openFile(path, { follow: false });
	try {
		await check(file);
	} finally {
		await file.handle.close();
	}
}

for (const [what, format, options, check] of checks)
	describe(what, () => {
		const content = imageOf(format, options);

		it('passes what QEMU has made', async () => {
			await checked(content, check);
		});

		it('refuses what lacks an end of its data', async () => {
			// What is compressed ends before the padding; else what follows it may be whatever.
			const text = content.lastIndexOf('some bytes');
			const end = text === -1 ? content.findLastIndex(byte => byte !== 0) - 40 : text;
			await assert.rejects(checked(content.subarray(0, end), check), { code: 'source_invalid', message: /cut short/ });
		});

		it('passes or refuses whatever it is given, and ends', async () => {
			const places = fc.array(fc.tuple(fc.nat({ max: 4095 }), fc.nat({ max: 255 })), { minLength: 1, maxLength: 12 });
			const edits = fc.record({
				places,
				base: fc.constantFrom(0, 65536, 131072, 196608, 262144, 2 ** 20, 2 ** 21, 3 * 2 ** 20),
			});
			await fc.assert(
				fc.asyncProperty(
					edits,
					fc.double({ min: 0.01, max: 1, noNaN: true }),
					async ({ places: found, base }, part) => {
						const edited = Buffer.from(content.subarray(0, Math.ceil(content.length * part)));
						for (const [at, byte] of found) if (base + at < edited.length) edited[base + at] = byte;
						await checked(edited, check).catch((error: unknown) => {
							assert.ok(error instanceof RouseError && error.code === 'source_invalid', String(error));
						});
					},
				),
				{ numRuns: 60 },
			);
		});
	});

it('`checkVmdkTables` knows the length of a compressed grain', async () => {
	const stream = imageOf('vmdk', ['-o', 'subformat=streamOptimized'], randomBytes(5 * 65_536));
	await checked(stream, vmdk);
	await assert.rejects(checked(stream.subarray(0, -512), vmdk), { message: /cut short: .* before its grain/ });
});

describe('`mustLieInside`', () => {
	it('tells file, place and sizes', async () => {
		const file = (lengthBytes: number) =>
			checked(Buffer.alloc(1000, 1), opened => mustLieInside(opened, 'grain', 600, lengthBytes));
		await file(400);
		await file(0);
		await assert.rejects(file(401), {
			code: 'source_invalid',
			message: `${join(directory, 'image')} is cut short: the file of 1000 bytes ends before its grain at offset 600, which has 401 bytes`,
			details: { path: join(directory, 'image'), offsetBytes: 600, lengthBytes: 401, sizeBytes: 1000 },
		});
	});
});
