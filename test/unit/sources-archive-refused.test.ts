import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constants, gunzipSync, gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { RouseError } from '../../model/errors.ts';
import { type ArchiveSource, openArchiveDisk } from '../../sources/archive/archive-disk.ts';
import { parseTarHeader } from '../../sources/tar/header.ts';
import { gunzipped } from '../../sources/archive/gunzip.ts';
import {
	archiveOf,
	before,
	contentOf,
	dataOf,
	end,
	extended,
	forms,
	header,
	inPieces,
	type Layout,
	padded,
	record,
	summed,
} from '../equipment/archives.ts';
import { openedArchive, readWhole } from '../equipment/read-archive.ts';

const never = new AbortController().signal;

const layout: Layout = {
	sizeBytes: 33_000,
	parts: Array.from({ length: 30 }, (_, index) => ({
		offsetBytes: 512 + index * 1024,
		lengthBytes: 512,
	})),
};

async function readPacked(packed: Buffer, pieceBytes = 700): Promise<Buffer> {
	return await readWhole(await openPacked(packed, pieceBytes));
}

function openPacked(packed: Buffer, pieceBytes: number): Promise<ArchiveSource> {
	return openArchiveDisk('a.tar.gz', signal => gunzipped(inPieces(packed, pieceBytes), signal), never);
}

async function refusal(archive: Buffer): Promise<string> {
	const refused = await openedArchive(archive)
		.then(readWhole)
		.then(
			() => undefined,
			(error: unknown) => error,
		);
	assert.ok(refused instanceof RouseError && refused.message.startsWith('a.tar: '), String(refused));
	assert.equal(refused.code, 'source_invalid');
	return refused.message.slice('a.tar: '.length);
}

test('an archive that is cut at any block, or beside one, is refused', async () => {
	for (const form of forms) {
		const archive = archiveOf(form, layout);
		for (let at = 512; at <= archive.length; at += 512)
			for (const cutAt of new Set([at - 511, at - 1, at]))
				if (cutAt < archive.length)
					assert.match(
						await refusal(archive.subarray(0, cutAt)),
						/^it is cut short: it ends in .*, after .*of the archive$/,
					);
	}
	assert.match(await refusal(Buffer.alloc(0)), /cut short/);
});

test('an archive with one flipped bit in any of its headers is refused', async () => {
	for (const form of forms) {
		const archive = archiveOf(form, layout);
		for (const at of headersOf(archive))
			for (let bit = 0; bit < 512 * 8; bit++) {
				const flipped = Buffer.from(archive.subarray(at, at + 512));
				flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
				// What stands around the digits of its checksum differs from program to program.
				if (sumOf(flipped) === sumOf(archive.subarray(at, at + 512)) && isInSum(bit >> 3)) continue;
				assert.throws(() => parseTarHeader(flipped, at), { code: 'source_invalid' }, `${form}: bit ${bit} at ${at}`);
				if (bit % 512 !== 0) continue;
				const whole = Buffer.concat([archive.subarray(0, at), flipped, archive.subarray(at + 512)]);
				await assert.rejects(openedArchive(whole), { code: 'source_invalid' });
			}
	}
});

const isInSum = (at: number) => at >= 148 && at < 156;
const sumOf = (block: Buffer) => Number.parseInt(block.toString('latin1', 148, 156), 8);

/** Where the headers of an archive of these tests are. */
function headersOf(archive: Buffer): number[] {
	const found: number[] = [];
	for (let at = 0; at < archive.length; at += 512)
		if (archive.toString('latin1', at + 257, at + 262) === 'ustar') found.push(at);
	return found;
}

test('what is packed by gzip in one member or several is read; one that is cut, flipped or followed by something is refused', async () => {
	const small: Layout = {
		sizeBytes: 90_000,
		parts: [
			{ offsetBytes: 4096, lengthBytes: 1536 },
			{ offsetBytes: 8192, lengthBytes: 700 },
		],
	};
	const archive = archiveOf('PAX 1.0', small);
	const content = contentOf(small);
	const packed = gzipSync(archive);
	const [first, second] = [gzipSync(archive.subarray(0, 2000)), gzipSync(archive.subarray(2000))];
	for (const good of [packed, Buffer.concat([first, second]), Buffer.concat([packed, Buffer.alloc(3000)])])
		for (const pieceBytes of [1, first.length, good.length])
			assert.ok((await readPacked(good, pieceBytes)).equals(content));
	assert.deepEqual(gunzipSync(packed), archive);

	const refused = {
		code: 'source_invalid',
		message: /^a\.tar\.gz: (?:it is cut short: its gzip data lacks its end|its gzip data is damaged: .*)$/,
	};
	for (let cutAt = 1; cutAt < packed.length; cutAt += cutAt > packed.length - 40 ? 1 : 97)
		await assert.rejects(readPacked(packed.subarray(0, cutAt)), refused, `cut at ${cutAt}`);
	for (let at = 10; at < packed.length; at += at > packed.length - 12 ? 1 : 131) {
		const flipped = Buffer.from(packed);
		flipped[at] = (flipped[at] ?? 0) ^ 4;
		await assert.rejects(readPacked(flipped), { code: 'source_invalid' }, `flipped at ${at}`);
	}
	for (const tail of ['garbage', '\x1f', '\0\0garbage', `${'\0'.repeat(5000)}x`])
		for (const pieceBytes of [700, 10 ** 6])
			await assert.rejects(
				readPacked(Buffer.concat([packed, Buffer.from(tail, 'latin1')]), pieceBytes),
				{ code: 'source_invalid' },
				JSON.stringify(tail.slice(0, 9)),
			);
	const noEnd = gzipSync(archive, { finishFlush: constants.Z_SYNC_FLUSH });
	await assert.rejects(readPacked(noEnd), refused);
});

test('an archive that goes on behind its end, or lacks half of its mark, is refused', async () => {
	const archive = archiveOf('old GNU', layout);
	assert.ok(
		(await readWhole(await openedArchive(Buffer.concat([archive, Buffer.alloc(9000)])))).equals(contentOf(layout)),
	);
	const late = Buffer.concat([archive, Buffer.alloc(9000), Buffer.from('x')]);
	assert.match(await refusal(late), /^it goes on behind its end/);
	const half = Buffer.concat([archive.subarray(0, -512), Buffer.alloc(512, 'x')]);
	assert.match(await refusal(half), /^it goes on behind its end/);
});

const disk = (bytes = 5000) => Buffer.concat([header('disk.raw', bytes), padded(Buffer.alloc(bytes, 'x'))]);
const file = (name: string, bytes = 100) => Buffer.concat([header(name, bytes), padded(Buffer.alloc(bytes, 'y'))]);
const directory = header('./', 0, { type: '5' });

test('beside the disk there may be its directory and the list of its licenses, and a long name', async () => {
	const long = Buffer.concat([
		header('././@LongLink', 11, { type: 'L', gnu: true }),
		padded(Buffer.from('./disk.raw\0')),
		file('x'),
	]);
	const byRecord = Buffer.concat([
		extended([record('path', './disk.raw'), record('size', 100), record('comment', 'é')]),
		header('x', 7),
		file('z').subarray(512),
	]);
	const common = extended([record('comment', 'of all')], 'g');
	for (const members of [
		[file('manifest.json'), disk()],
		[directory, common, disk(), file('./manifest.json', 0)],
		[long],
		[byRecord],
		[header('disk.raw', 100, { change: block => void block.fill(0, 257, 265) }), file('y').subarray(512)],
	]) {
		const source = await openedArchive(Buffer.concat([...members, end]));
		const content = await readWhole(source);
		assert.ok([100, 5000].includes(content.length) && content.every(byte => 'xy'.includes(String.fromCharCode(byte))));
	}
});

const others: [what: string, members: Buffer[], told: RegExp][] = [
	['no disk', [directory], /^it has no disk\.raw$/],
	[
		'another file before it',
		[file('web01.vmdk'), disk()],
		/^beside disk\.raw it has "web01\.vmdk", which is not known$/,
	],
	['another file behind it', [disk(), file('disk1.raw')], /"disk1\.raw", which is not known/],
	[
		'a disk in a directory',
		[header('disk.raw', 100, { change: block => void block.write('image', 345) })],
		/"image\/disk\.raw", which is not known/,
	],
	['a large manifest.json', [file('manifest.json', 2 ** 20 + 1), disk()], /"manifest\.json"/],
	['a second disk', [disk(), disk()], /^it has disk\.raw twice$/],
	['many members', [...Array.from({ length: 17 }, () => directory), disk()], /among its first 16 members/],
	['many members behind it', [disk(), ...Array.from({ length: 18 }, () => directory)], /more than 16 members/],
	['a link', [header('disk.raw', 0, { type: '2' })], /of the type "2", which is no file/],
	['a continued volume', [header('disk.raw', 100, { type: 'M', gnu: true })], /of the type "M"/],
	['a sparse one of star', [header('disk.raw', 100, { type: 'S' })], /of the type "S"/],
	['an empty disk', [disk(0)], /is empty/],
	[
		'a negative size',
		[header('disk.raw', 0, { change: block => void block.fill(0xff, 124, 136) })],
		/^the size of "disk\.raw" is negative$/,
	],
	[
		'a size beyond all',
		[header('disk.raw', 0, { change: block => void block.fill(0x7f, 125, 136).fill(0x80, 124, 125) })],
		/larger than any disk/,
	],
	[
		'a size that is no number',
		[header('disk.raw', 0, { change: block => void block.write('0000000008\0', 124) })],
		/no octal number/,
	],
	[
		'another magic',
		[header('disk.raw', 9, { change: block => void block.write('USTAR', 257) })],
		/of a kind that is not known/,
	],
	['records of star', [extended([record('SCHILY.realsize', 9)]), disk()], /a form that is not read.*SCHILY\.realsize/],
	['records of several volumes', [extended([record('GNU.volume.size', 9)]), disk()], /GNU\.volume\.size/],
	['records for all members', [extended([record('size', 9)], 'g'), disk()], /sizes or names of all members/],
	[
		'endless records',
		Array<Buffer>(17).fill(extended([record('comment', 'x')], 'g')),
		/more than 16 headers about one member/,
	],
	['records and no member', [extended([record('path', 'x')])], /before the member that is announced/],
	[
		'two sets of records',
		[extended([record('path', 'x')]), extended([record('path', 'x')]), disk()],
		/two extended headers/,
	],
	['a record twice', [extended([record('size', 9), record('size', 9)]), disk()], /has size twice/],
	['a record without an end', [extended(['30 path=x\n']), disk()], /ends in a record/],
	['a record of a wrong length', [extended(['9 path=xy\n']), disk()], /record of other than 9 bytes/],
	['a record that is too short', [extended(['4 x=\n']), disk()], /a record of 4 bytes/],
	['a record of a negative length', [extended(['-5 path=xy\n']), disk()], /"-" in the length of a record/],
	['a record of a huge length', [extended(['9999999999999 path=xy\n']), disk()], /"9" in the length of a record/],
	['a record without a keyword', [extended([record('', 'xy')]), disk()], /without a keyword/],
	['a size in hexadecimal', [extended([record('size', '0x10')]), disk()], /size has "x" where a digit belongs/],
	['a negative record', [extended([record('size', '-1')]), disk()], /size has "-" where/],
	['a huge extended header', [header('x', 2 ** 31, { type: 'x' })], /an extended header of 2\.00 GiB/],
	['a huge name', [header('x', 70_000, { type: 'L', gnu: true })], /a name of /],
];

for (const [what, members, told] of others)
	test(`an archive with ${what} is refused, and says what was found`, async () => {
		assert.match(await refusal(Buffer.concat([...members, end])), told);
	});

/** Records of the form 0.1 with this map. */
const map01 = (map: string, sizeBytes: number, parts: number, dataBytes: number) =>
	Buffer.concat([
		extended([
			record('GNU.sparse.size', sizeBytes),
			record('GNU.sparse.numblocks', parts),
			record('GNU.sparse.name', 'disk.raw'),
			record('GNU.sparse.map', map),
		]),
		header('x', dataBytes),
	]);

/** The form 1.0 with this text for its map. */
const map10 = (map: string, dataBytes = 512, realBytes = 9000) =>
	Buffer.concat([
		extended([
			record('GNU.sparse.major', 1),
			record('GNU.sparse.minor', 0),
			record('GNU.sparse.name', 'disk.raw'),
			record('GNU.sparse.realsize', realBytes),
		]),
		header('x', padded(Buffer.from(map)).length + dataBytes),
		padded(Buffer.from(map)),
	]);

/** GNU tar's own form, with the fields of its header changed. */
const oldGnu = (change: (block: Buffer) => void) => {
	const archive = before('old GNU', { sizeBytes: 9000, parts: [{ offsetBytes: 512, lengthBytes: 1024 }] });
	change(archive);
	summed(archive);
	return archive;
};

const maps: [what: string, archive: Buffer, told: RegExp][] = [
	[
		'overlapping parts',
		map01('0,1024,512,512', 9000, 2, 1536),
		/part at 512 behind one that ends at 1024: they overlap, or lack order/,
	],
	['parts without order', map01('4096,512,0,512', 9000, 2, 1024), /they overlap, or lack order/],
	['parts past the disk', map01('0,512,8704,512', 9000, 2, 1024), /^its map goes to 9216, and its disk has 8\.78 KiB/],
	['an empty part past the disk', map01('0,512,9001,0', 9000, 2, 512), /^its map goes to 9001/],
	[
		'less than the archive',
		map01('0,512', 9000, 1, 1024),
		/^its map tells of 512 bytes, and the archive has 1\.00 KiB/,
	],
	['more than the archive', map01('0,1024', 9000, 1, 512), /^its map tells of/],
	['another number of parts', map01('0,512', 9000, 2, 512), /^its map has 1 parts, and should have 2$/],
	['an offset without a length', map01('0,512,4096', 9000, 2, 512), /an offset without a length/],
	['a number missing', map01('0,,512', 9000, 1, 512), /lacks a number/],
	['a negative number', map01('-512,512', 9000, 1, 512), /"-" where a digit belongs/],
	['numbers beyond all', map01('0,99999999999999999999', 9000, 1, 512), /larger than any disk/],
	['a sum beyond all', map01(`512,512,${2 ** 53 - 512},1024`, 9000, 2, 1536), /larger than any disk/],
	['an odd part before others', map01('0,700,4096,512', 9000, 2, 1212), /a part of 700 bytes before others/],
	[
		'no size',
		Buffer.concat([extended([record('GNU.sparse.map', '0,512')]), header('disk.raw', 512)]),
		/how large its disk is/,
	],
	[
		'two sizes',
		Buffer.concat([
			extended([record('GNU.sparse.size', 1), record('GNU.sparse.realsize', 2)]),
			header('disk.raw', 512),
		]),
		/1 bytes, and 2 bytes/,
	],
	[
		'two maps',
		Buffer.concat([
			extended([record('GNU.sparse.map', '0,512'), record('GNU.sparse.offset', 0)]),
			header('disk.raw', 512),
		]),
		/two maps/,
	],
	[
		'no map',
		Buffer.concat([extended([record('GNU.sparse.size', 9000)]), header('disk.raw', 512)]),
		/a form that is not read: 0/,
	],
	[
		'another version',
		Buffer.concat([extended([record('GNU.sparse.major', 2), record('GNU.sparse.minor', 0)]), header('disk.raw', 512)]),
		/not read: 2\.0/,
	],
	[
		'a record that is not known',
		Buffer.concat([extended([record('GNU.sparse.other', 2)]), header('disk.raw', 512)]),
		/GNU\.sparse\.other/,
	],
	[
		'a length first',
		Buffer.concat([extended([record('GNU.sparse.numbytes', 2)]), header('disk.raw', 512)]),
		/a length without an offset/,
	],
	['10 million parts, in 1.0', map10('10000000\n0\n512\n'), /^its map has 10000000 parts, more than 4194304$/],
	['something behind its numbers', map10('1\n0\n512\n7'), /behind its end/],
	['no end', map10('3\n0\n512\n'), /where a digit belongs/],
	['a letter', map10('1\nx\n512\n'), /"x" where a digit belongs/],
	['an odd end', oldGnu(block => void block.fill(0, 422, 423)), /goes on behind its end/],
	['more that is not there', oldGnu(block => void block.writeUInt8(1, 482)), /goes on behind its end/],
	['a wrong mark', oldGnu(block => void block.writeUInt8(9, 482)), /has 9 where it says/],
	['a negative offset', oldGnu(block => void block.fill(0xff, 386, 398)), /an offset of its map is negative/],
	[
		'a disk of 8 EiB',
		oldGnu(block => void block.fill(0x80, 483, 484).fill(0x7f, 484, 495)),
		/the size of the disk is .*larger than any disk/,
	],
];

for (const [what, archive, told] of maps)
	test(`a map with ${what} is refused, and says what was found`, async () => {
		assert.match(await refusal(Buffer.concat([archive, Buffer.alloc(9216, 'x'), end])), told);
	});

test('a map of 10 million parts is refused when there are too many, before its end', async () => {
	const numbers = Buffer.from('512,0,'.repeat(1000));
	const mapBytes = 10_000 * numbers.length;
	let given = 0;
	const pieces = async function* () {
		yield header('x', mapBytes + 26, { type: 'x' });
		yield Buffer.from(`${mapBytes + 26} GNU.sparse.map=`);
		for (; given < 10_000; given++) yield numbers;
	};
	await assert.rejects(openArchiveDisk('a.tar', pieces, never), { message: /its map has more than 4194304 parts$/ });
	assert.ok(given < 4200, `${given}`);
});

test('whatever the bytes are, an archive is read, or refused by its code', async () => {
	const archive = archiveOf('PAX 0.1', layout);
	const changes = fc.array(fc.tuple(fc.nat({ max: 3000 }), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 });
	await fc.assert(
		fc.asyncProperty(fc.constantFrom(...forms), changes, async (form, flips) => {
			const bytes = form === 'PAX 0.1' ? Buffer.from(archive) : archiveOf(form, layout);
			for (const [at, value] of flips) bytes[at] = value;
			for (const at of headersOf(bytes)) summed(bytes.subarray(at, at + 512));
			const content = await openedArchive(bytes)
				.then(readWhole)
				.catch((error: unknown) => {
					assert.ok(error instanceof RouseError && error.code === 'source_invalid', String(error));
				});
			if (content !== undefined) assert.ok(content.length > 0 && dataOf(form, layout).length > 0);
		}),
		{ numRuns: 300 },
	);
});
