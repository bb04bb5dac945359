import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import * as fc from 'fast-check';
import { RouseError } from '../../model/errors.ts';
import { openFile } from '../../sources/opened-file.ts';
import { blockBytes, parseTarHeader, tarNumber } from '../../sources/tar/header.ts';
import { type PlacedMember, readTarIndex } from '../../sources/tar/tar-index.ts';
import { end, extended, header, padded, record } from '../equipment/archives.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

const web01 = (change: (block: Buffer) => void = () => {}) => header('web01.ovf', 10, { change });

const parsed = (block: Buffer) => parseTarHeader(block, 0);

const refused = (expected: RegExp) => (error: unknown) =>
	error instanceof RouseError && error.code === 'source_invalid' && expected.test(error.message);

async function indexOf(t: TestContext, archive: Buffer, lengthBytes = archive.length): Promise<PlacedMember[]> {
	const path = join(await temporaryDirectory(t), 'a.ova');
	writeFileSync(path, archive);
	truncateSync(path, lengthBytes);
	const file = await openFile(path, { follow: true });
	t.after(() => file.handle.close());
	return await readTarIndex(file, t.signal);
}

describe('`parseTarHeader`', () => {
	it('knows what VirtualBox has written: a sum that nothing fills up, a magic of its own, a size in base 256', () => {
		const block = web01(some => {
			some.write('ustar   ', 257);
			some.write('14000000000\0', 345);
			some.write('800000000000000200000000', 124, 'hex');
		});
		const sum = block.toString('latin1', 149, 154);
		block.write(sum.padEnd(8, '\0'), 148);
		assert.partialDeepStrictEqual(parsed(block), { name: 'web01.ovf', dialect: 'gnu' });
	});
	it('puts the prefix of a POSIX header before its name, and takes none where GNU has a time', () => {
		assert.equal(parsed(web01(block => block.write('exports/2026', 345)))?.name, 'exports/2026/web01.ovf');
		const gnu = web01(block => {
			block.write('ustar  \0', 257);
			block.write('14000000000\0', 345);
		});
		assert.equal(parsed(gnu)?.name, 'web01.ovf');
	});
	it('takes a header without a magic, the sum of signed bytes, and any end of a sum, as programs write them', () => {
		const old = web01(block => block.fill(0, 156));
		assert.partialDeepStrictEqual(parsed(old), { name: 'web01.ovf', type: '0', dialect: 'old' });
		const block = web01(some => some.write('w\xe9b.ovf\0', 'latin1'));
		const sum = Number.parseInt(block.toString('latin1', 148, 154), 8);
		for (const said of [sum, sum - 256].map(value => value.toString(8)))
			for (const field of [`${said.padStart(6, '0')}\0 `, `${said.padStart(7, '0')}\0`, `${said.padStart(6)}\0\0`]) {
				block.write(field, 148, 'latin1');
				assert.ok(parsed(block), JSON.stringify(field));
			}
	});
	it('ends at a block of zeros', () => {
		assert.equal(parsed(Buffer.alloc(blockBytes)), undefined);
	});
	it('refuses a header that is damaged in any byte', () => {
		fc.assert(
			fc.property(
				fc.integer({ min: 0, max: 511 }).filter(at => at < 148 || at >= 156),
				fc.integer({ min: 1, max: 255 }),
				(at, change) => {
					const block = web01();
					block.writeUInt8(block.readUInt8(at) ^ change, at);
					assert.throws(() => parsed(block), RouseError);
				},
			),
		);
	});
});

describe('`tarNumber`', () => {
	const numberOf = (field: Buffer) => tarNumber(field, 'it');
	it('reads octal digits with whatever stands around them, and base 256', () => {
		for (const [text, value] of [
			['00000000012\0', 10],
			['       12 \0 ', 10],
			['777777777777', 2 ** 36 - 1],
		] as const)
			assert.equal(numberOf(Buffer.from(text)), value);
		assert.equal(numberOf(Buffer.from('800000000000000200000000', 'hex')), 2 ** 33);
	});
	it('refuses what is no number, negative, or larger than any file', () => {
		for (const text of ['0000000001x\0', '00000000009\0', '-0000000001\0', '1 2', '\0'.repeat(12)])
			assert.throws(() => numberOf(Buffer.from(text)), refused(/no octal number/));
		for (const hex of ['ffffffffffffffffffffffff', '810000000000000000000000', '80ffffffffffffffffffffff'])
			assert.throws(() => numberOf(Buffer.from(hex, 'hex')), refused(/negative|larger than any disk/));
	});
});

describe('`readTarIndex`', () => {
	const archiveOf = (members: number, last = end) =>
		Buffer.concat([...Array.from({ length: members }, () => [web01(), Buffer.alloc(blockBytes, 'x')]).flat(), last]);

	it('knows what GNU tar writes in each of its formats', async t => {
		const directory = await temporaryDirectory(t);
		const long = `${'directory/'.repeat(15)}disk-${'ä'.repeat(40)}.vmdk`;
		const names = ['web01.ovf', long];
		mkdirSync(join(directory, long, '..'), { recursive: true });
		for (const name of names) writeFileSync(join(directory, name), name);
		for (const format of ['gnu', 'oldgnu', 'posix']) {
			const archive = execFileSync('tar', [`--format=${format}`, '-cC', directory, ...names]);
			const found = await indexOf(t, archive);
			assert.deepEqual(
				found.map(({ name }) => name),
				names,
				format,
			);
			for (const { name, atBytes, sizeBytes } of found)
				assert.equal(archive.toString('utf8', atBytes, atBytes + sizeBytes), name, format);
		}
	});
	it('knows sizes of more than eleven octal digits in both ways of writing them', async t => {
		const directory = await temporaryDirectory(t);
		const disk = join(directory, 'disk.raw');
		writeFileSync(disk, '');
		truncateSync(disk, 9 * 2 ** 30);
		for (const format of ['gnu', 'posix']) {
			// Of the archive its beginning is enough: tar(1) ends when nobody reads on.
			const [first] = await indexOf(t, beginningOf(directory, format), 9 * 2 ** 30 + 8192);
			assert.equal(first?.sizeBytes, 9 * 2 ** 30, format);
			assert.equal(first.name, 'disk.raw');
		}
	});
	it('tells where each member lies, also without the zeros at the end', async t => {
		for (const last of [end, Buffer.alloc(0)]) {
			const members = await indexOf(t, archiveOf(2, last));
			assert.deepEqual(
				members.map(({ atBytes, sizeBytes }) => [atBytes, sizeBytes]),
				[
					[512, 10],
					[1536, 10],
				],
			);
		}
	});
	it('gives a directory or a link no data, whatever its size says', async t => {
		const without = ['1', '2', '5'].map(type => header(type, 10, { type }));
		const members = await indexOf(t, Buffer.concat([...without, archiveOf(1)]));
		assert.deepEqual(
			members.map(({ name, sizeBytes }) => [name, sizeBytes]),
			[
				['1', 0],
				['2', 0],
				['5', 0],
				['web01.ovf', 10],
			],
		);
	});
	it('refuses what is cut, wherever that is', async t => {
		const archive = archiveOf(2, Buffer.alloc(0));
		for (const lengthBytes of [1, 511, 513, 600, 1023, 1025, 1600, 2047])
			await assert.rejects(indexOf(t, archive.subarray(0, lengthBytes)), refused(/is cut short/), String(lengthBytes));
	});
	it('refuses more members than any appliance has, none, and names longer than any path', async t => {
		await assert.rejects(indexOf(t, archiveOf(4097)), refused(/more than 4096 members/));
		await assert.rejects(indexOf(t, Buffer.alloc(1024)), refused(/it is empty/));
		const long = 'x'.repeat(4097);
		await assert.rejects(
			indexOf(t, Buffer.concat([extended([record('path', long)]), archiveOf(1)])),
			refused(/a name/),
		);
		const gnu = Buffer.concat([header('x', long.length, { type: 'L', gnu: true }), padded(Buffer.from(long))]);
		await assert.rejects(indexOf(t, Buffer.concat([gnu, archiveOf(1)])), refused(/a name of/));
	});
	it('refuses what lies in it in part, or without its holes', async t => {
		const sparse = extended([record('GNU.sparse.major', 1)]);
		for (const [members, expected] of [
			[header('disk', 0, { type: 'S', gnu: true }), /"disk" lies in it without its holes/],
			[header('disk', 0, { type: 'M', gnu: true }), /goes on in another archive/],
			[Buffer.concat([sparse, archiveOf(1)]), /without its holes/],
		] as const)
			await assert.rejects(indexOf(t, Buffer.concat([members, end])), refused(expected));
	});
});

function beginningOf(directory: string, format: string): Buffer {
	const file = join(directory, 'beginning');
	execFileSync('bash', [
		'-c',
		`tar --format=${format} -cC "$1" disk.raw 2>/dev/null | head -c 4096 > "$2"`,
		'bash',
		directory,
		file,
	]);
	return readFileSync(file);
}
