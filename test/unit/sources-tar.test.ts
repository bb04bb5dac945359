import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import * as fc from 'fast-check';
import { RouseError } from '../../model/errors.ts';
import { paddedBytes, parseTarHeader, tarBlockBytes, tarNumber } from '../../sources/tar/header.ts';
import { parsePaxRecords, type TarMember, TarWords } from '../../sources/tar/member.ts';
import { openFile } from '../../sources/opened-file.ts';
import { readTarIndex } from '../../sources/tar/tar-index.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

function* membersOf(archive: Buffer): Generator<TarMember & { atBytes: number }> {
	const words = new TarWords();
	for (let at = 0; ; ) {
		const header = parseTarHeader(archive.subarray(at, at + tarBlockBytes));
		if (header === undefined) return;
		at += tarBlockBytes;
		const lengthBytes = TarWords.lengthOf(header);
		if (lengthBytes === undefined) yield { ...words.member(header), atBytes: at };
		else words.add(header, archive.subarray(at, at + lengthBytes));
		at += paddedBytes(header.sizeBytes);
	}
}

const withChecksum = (block: Buffer) => {
	block.fill(' ', 148, 156);
	block.write(
		`${block
			.reduce((sum, byte) => sum + byte, 0)
			.toString(8)
			.padStart(6, '0')}\0 `,
		148,
	);
	return block;
};

const header = (edit: (block: Buffer) => void = () => {}) => {
	const block = Buffer.alloc(tarBlockBytes);
	block.write('web01.ovf');
	block.write('00000000012\0', 124);
	block.write('0', 156);
	block.write('ustar\x0000', 257, 'latin1');
	edit(block);
	return withChecksum(block);
};

/** "%d %s=%s\n", for records of less than a hundred bytes. */
const record = (text: string) => {
	const shortBytes = Buffer.byteLength(text) + 3;
	return shortBytes < 10 ? `${shortBytes} ${text}\n` : `${shortBytes + 1} ${text}\n`;
};

const refused = (expected: RegExp) => (error: unknown) =>
	error instanceof RouseError && error.code === 'source_invalid' && expected.test(error.message);

describe('`parseTarHeader` and `TarWords`', () => {
	it('know what GNU tar writes in each of its formats', async t => {
		const directory = await temporaryDirectory(t);
		const long = `${'directory/'.repeat(15)}disk-${'ä'.repeat(40)}.vmdk`;
		const names = ['web01.ovf', long];
		execFileSync('mkdir', ['-p', join(directory, long, '..')]);
		for (const name of names) writeFileSync(join(directory, name), name);
		for (const format of ['gnu', 'oldgnu', 'posix']) {
			const archive = execFileSync('tar', [`--format=${format}`, '-cC', directory, ...names]);
			const found = [...membersOf(archive)];
			assert.deepEqual(
				found.map(({ name }) => name),
				names,
				format,
			);
			for (const { name, atBytes, sizeBytes } of found)
				assert.equal(archive.toString('utf8', atBytes, atBytes + sizeBytes), name, format);
		}
	});
	it('know sizes of more than eleven octal digits in both ways of writing them', async t => {
		const directory = await temporaryDirectory(t);
		const disk = join(directory, 'disk.raw');
		writeFileSync(disk, '');
		truncateSync(disk, 9 * 2 ** 30);
		for (const format of ['gnu', 'posix']) {
			// Of the archive its beginning is enough: tar(1) ends when nobody reads on.
			const [first] = membersOf(beginningOf(directory, format));
			assert.equal(first?.sizeBytes, 9 * 2 ** 30, format);
			assert.equal(first.name, 'disk.raw');
		}
	});
	it('put the prefix of a POSIX header before its name, and take none where GNU has a time', () => {
		const posix = header(block => block.write('exports/2026', 345));
		assert.equal(parseTarHeader(posix)?.name, 'exports/2026/web01.ovf');
		const gnu = header(block => {
			block.write('ustar  \0', 257);
			block.write('14000000000\0', 345);
		});
		assert.equal(parseTarHeader(gnu)?.name, 'web01.ovf');
	});
	it('take a header without a magic, and the sum of signed bytes, as old programs wrote them', () => {
		const old = header(block => block.fill(0, 156));
		assert.deepEqual(parseTarHeader(old), { name: 'web01.ovf', sizeBytes: 10, type: '0' });
		const signed = header(block => block.write('w\xe9b.ovf\0', 'latin1'));
		signed.write(
			`${(Number.parseInt(signed.toString('latin1', 148, 154), 8) - 256).toString(8).padStart(6, '0')}\0 `,
			148,
		);
		assert.equal(parseTarHeader(signed)?.sizeBytes, 10);
	});
	it('give a directory or a link no data, whatever its size says', () => {
		for (const type of ['1', '2', '5'])
			assert.equal(parseTarHeader(header(block => block.write(type, 156)))?.sizeBytes, 0);
	});
	it('end at a block of zeros', () => {
		assert.equal(parseTarHeader(Buffer.alloc(tarBlockBytes)), undefined);
	});
	it('refuse a header that is damaged in any byte', () => {
		fc.assert(
			fc.property(
				fc.integer({ min: 0, max: 511 }).filter(at => at < 148 || at >= 156),
				fc.integer({ min: 1, max: 255 }),
				(at, change) => {
					const block = header();
					block.writeUInt8(block.readUInt8(at) ^ change, at);
					assert.throws(() => parseTarHeader(block), RouseError);
				},
			),
		);
	});
	it('say of one member what was said of it, and of the next nothing', () => {
		const words = new TarWords();
		const plain = { name: 'short', sizeBytes: 1, type: '0' };
		words.add({ ...plain, type: 'x' }, Buffer.from(record('path=long') + record('size=123456789')));
		assert.deepEqual(
			{ ...words.member(plain), records: undefined },
			{ name: 'long', sizeBytes: 123_456_789, type: '0', records: undefined },
		);
		assert.equal(words.member(plain).name, 'short');
		words.add({ ...plain, type: 'L' }, Buffer.from('longer\0'));
		words.add({ ...plain, type: 'K' }, Buffer.from('of a link\0'));
		assert.equal(words.member(plain).name, 'longer');
		words.add({ ...plain, type: 'g' }, Buffer.from(record('comment=of them')));
		words.add({ ...plain, type: 'x' }, Buffer.from(record('comment=')));
		assert.equal(words.member(plain).records.get('comment'), undefined);
		assert.equal(words.member(plain).records.get('comment'), 'of them');
	});
	it('refuse words without end, and sizes that are none', () => {
		assert.throws(() => TarWords.lengthOf({ name: 'x', sizeBytes: 2 ** 30, type: 'x' }), refused(/at most/));
		for (const size of ['-1', '1e3', '99999999999999999999', '0x10']) {
			const words = new TarWords();
			words.add({ name: 'x', sizeBytes: 0, type: 'x' }, Buffer.from(record(`size=${size}`)));
			assert.throws(() => words.member({ name: 'disk', sizeBytes: 1, type: '0' }), refused(/size of a member/), size);
		}
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

describe('`tarNumber`', () => {
	it('reads octal digits with whatever stands around them, and base 256', () => {
		for (const [text, value] of [
			['00000000012\0', 10],
			['       12 \0 ', 10],
			['777777777777', 2 ** 36 - 1],
			['\0'.repeat(12), 0],
		] as const)
			assert.equal(tarNumber(Buffer.from(text)), value);
		assert.equal(tarNumber(Buffer.from('800000000000000200000000', 'hex')), 2 ** 33);
	});
	it('refuses what is no number, negative, or larger than any file', () => {
		for (const text of ['0000000001x\0', '00000000009\0', '-0000000001\0', '1 2'])
			assert.throws(() => tarNumber(Buffer.from(text)), refused(/is none/));
		for (const hex of ['ffffffffffffffffffffffff', '810000000000000000000000', '80ffffffffffffffffffffff'])
			assert.throws(() => tarNumber(Buffer.from(hex, 'hex')), refused(/negative|too large/));
	});
});

describe('`parsePaxRecords`', () => {
	it('reads values with anything in them', () => {
		const records = parsePaxRecords(Buffer.from(['a=1\n2=3', 'path=ä', 'b='].map(record).join('')));
		const expected = [
			['a', '1\n2=3'],
			['path', 'ä'],
			['b', ''],
		];
		assert.deepEqual([...records], expected);
	});
	it('refuses records whose length is not theirs, and ends on whatever it is given', () => {
		for (const text of [
			'13 path=abc\n',
			'5 path=abc\n',
			'999 path=abc\n',
			'path=abc\n',
			'0 a=1\n',
			'7 abcd\n',
			'12 path=abc',
		])
			assert.throws(() => parsePaxRecords(Buffer.from(text)), refused(/damaged/), text);
		fc.assert(
			fc.property(fc.oneof(fc.uint8Array(), fc.stringMatching(/^(\d{1,3} [a-z]{0,3}=?[a-z]{0,3}\n?)*$/)), bytes => {
				try {
					parsePaxRecords(Buffer.from(bytes));
				} catch (error) {
					assert.ok(error instanceof RouseError);
				}
			}),
		);
	});
});

describe('`readTarIndex`', () => {
	const indexOf = async (t: TestContext, archive: Buffer) => {
		const path = join(await temporaryDirectory(t), 'a.ova');
		writeFileSync(path, archive);
		const file = await openFile(path, { follow: true });
		t.after(() => file.handle.close());
		return await readTarIndex(file, t.signal);
	};
	const archiveOf = (members: number, end = Buffer.alloc(1024)) =>
		Buffer.concat([...Array.from({ length: members }, () => [header(), Buffer.alloc(tarBlockBytes, 'x')]).flat(), end]);

	it('tells where each member lies, also without the zeros at the end', async t => {
		for (const end of [Buffer.alloc(1024), Buffer.alloc(0)]) {
			const members = await indexOf(t, archiveOf(2, end));
			assert.deepEqual(
				members.map(({ atBytes, sizeBytes }) => [atBytes, sizeBytes]),
				[
					[512, 10],
					[1536, 10],
				],
			);
		}
	});
	it('refuses what is cut, wherever that is', async t => {
		const archive = archiveOf(2, Buffer.alloc(0));
		for (const lengthBytes of [1, 511, 513, 600, 1023, 1025, 1600, 2047])
			await assert.rejects(indexOf(t, archive.subarray(0, lengthBytes)), refused(/is cut short/), String(lengthBytes));
	});
	it('refuses more members than any appliance has, and none', async t => {
		await assert.rejects(indexOf(t, archiveOf(4097)), refused(/more than 4096 members/));
		await assert.rejects(indexOf(t, Buffer.alloc(1024)), refused(/it is empty/));
	});
	it('refuses what lies in it in part, or without its holes', async t => {
		for (const [type, expected] of [
			['S', /without its holes/],
			['M', /goes on in another archive/],
		] as const)
			await assert.rejects(
				indexOf(t, Buffer.concat([header(block => block.write(type, 156)), Buffer.alloc(2048)])),
				refused(expected),
			);
		const sparse = Buffer.alloc(tarBlockBytes);
		const lengthBytes = sparse.write(record('GNU.sparse.major=1'));
		const words = header(block => {
			block.write('x', 156);
			block.write(`${lengthBytes.toString(8).padStart(11, '0')}\0`, 124);
		});
		await assert.rejects(indexOf(t, Buffer.concat([words, sparse, archiveOf(1)])), refused(/without its holes/));
	});
});
