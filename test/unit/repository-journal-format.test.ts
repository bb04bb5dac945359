import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { digestOf } from '../../repository/format/digest.ts';
import {
	decodeJournal,
	encodeJournal,
	type JournalIdentity,
	type JournalObject,
	type JournalPlace,
	type JournalRun,
	placeBehind,
} from '../../repository/format/journal.ts';
import { chunkRefBytes, encodeChunkRef } from '../../repository/format/reference.ts';

const importId = '0b2a8f52-58a5-4c6a-9d8e-0e4f6a7d1c11';
const attempt = '000102030405060708090a0b0c0d0e0f';
const ref = { digest: 'ab'.repeat(32), packId: attempt, offsetBytes: 7, storedBytes: 57 };

function refsOf(count: number): Buffer {
	const bytes = Buffer.alloc(count * chunkRefBytes);
	for (let at = 0; at < bytes.length; at += chunkRefBytes) encodeChunkRef({ ...ref, offsetBytes: at }, bytes, at);
	return bytes;
}

function zeros(disk: number, firstChunk: number, count: number): JournalRun {
	return { disk, firstChunk, count, refs: undefined };
}

function asBase(disk: number, firstChunk: number, count: number, baseDisk: number): JournalRun {
	return { disk, firstChunk, count, refs: undefined, baseDisk };
}

function references(disk: number, firstChunk: number, count: number): JournalRun {
	return { disk, firstChunk, count, refs: refsOf(count) };
}

/** Objects that are right, with the disks that they tell of. */
const anyObject = fc
	.record({
		number: fc.integer({ min: 0, max: 9_999_999_999 }),
		chunkCounts: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 4 }),
		from: fc.nat(),
		lengths: fc.array(fc.tuple(fc.integer({ min: 1, max: 30 }), fc.integer({ min: -2, max: 63 })), { maxLength: 8 }),
	})
	.map(({ number, chunkCounts, from, lengths }): { identity: JournalIdentity; object: JournalObject } => {
		const begins = placeAt(from, chunkCounts);
		const runs: JournalRun[] = [];
		let { disk, chunk } = begins;
		for (const [length, as] of lengths) {
			const count = Math.min(length, (chunkCounts[disk] ?? 0) - chunk);
			if (count < 1) break;
			runs.push(
				as === -2
					? zeros(disk, chunk, count)
					: as < 0
						? references(disk, chunk, count)
						: asBase(disk, chunk, count, as),
			);
			({ disk, chunk } = placeBehind({ disk, chunk }, count, chunkCounts));
		}
		return { identity: { importId, number, chunkCounts, hasBase: true }, object: { attempt, begins, runs } };
	});

/** The end of all disks is one of the places. */
function placeAt(from: number, chunkCounts: readonly number[]): JournalPlace {
	let chunk = from % (chunkCounts.reduce((sum, count) => sum + count, 0) + 1);
	let disk = 0;
	for (const count of chunkCounts) {
		if (chunk < count) break;
		chunk -= count;
		disk++;
	}
	return { disk, chunk };
}

test('`encodeJournal` gives the bytes of version 1', () => {
	const runs = [references(0, 3, 1), zeros(1, 0, 5), asBase(1, 5, 2 ** 33, 3)];
	assert.equal(
		encodeJournal({ attempt, begins: { disk: 0, chunk: 3 }, runs }, { importId, number: 258 }).toString('hex'),
		[
			'5c7fca88bf9775c6', // magic
			'0b2a8f5258a54c6a9d8e0e4f6a7d1c11', // import
			'0201000000000000', // number
			attempt,
			'00000000', // begins on disk 0
			'03000000', // three runs
			'0300000000000000', // at chunk 3
			'00000000', // disk
			'0100', // references
			'0000', // no disk of the base
			'0300000000000000', // from chunk 3 on
			'0100000000000000', // one
			ref.digest,
			ref.packId,
			'00000000', // offset
			'39000000', // stored bytes
			'01000000', // disk
			'00000000', // zeros
			'0000000000000000', // from chunk 0 on
			'0500000000000000', // five
			'01000000', // disk
			'0200', // as in the base
			'0300', // on its disk 3
			'0500000000000000', // from chunk 5 on
			'0000000002000000', // 2^33
			'2c6cd76b3259e824916aee07bf59cbb2daa6130d9577c00053bdaee55a783786',
		].join(''),
	);
});

test('`decodeJournal` reads back what `encodeJournal` wrote', () => {
	fc.assert(
		fc.property(anyObject, ({ identity, object }) => {
			assert.deepEqual(decodeJournal(encodeJournal(object, identity), identity), object);
		}),
	);
});

test('`decodeJournal` refuses every object in which a byte is another one, or that is cut or longer', () => {
	fc.assert(
		fc.property(anyObject, fc.nat(), fc.integer({ min: 1, max: 255 }), ({ identity, object }, at, flip) => {
			const bytes = encodeJournal(object, identity);
			const position = at % bytes.length;
			const cut = bytes.subarray(0, position);
			const longer = Buffer.concat([bytes, Buffer.alloc(1)]);
			const flipped = Buffer.from(bytes);
			flipped.writeUInt8(flipped.readUInt8(position) ^ flip, position);
			for (const wrong of [flipped, cut, longer])
				assert.throws(() => decodeJournal(wrong, identity), { code: 'format_damaged', exitCode: 9 });
		}),
	);
});

/** With its digest right, so that what is looked for is found by the check of it alone. */
function altered(object: JournalObject, alter: (bytes: Buffer) => void, number = 1): Buffer {
	const bytes = encodeJournal(object, { importId, number }).subarray(0, -32);
	alter(bytes);
	return Buffer.concat([bytes, digestOf(bytes)]);
}

const identity = { importId, number: 1, chunkCounts: [10, 20], hasBase: true };
const sound = { attempt, begins: { disk: 0, chunk: 8 }, runs: [references(0, 8, 2), zeros(1, 0, 20)] };
const firstRun = 64;
const secondRun = firstRun + 24 + 2 * chunkRefBytes;

const wrongBytes: [string, RegExp, (bytes: Buffer) => void][] = [
	['another magic number', /does not begin as one/, bytes => bytes.writeUInt8(0, 0)],
	['another import', /of import/, bytes => bytes.writeUInt8(0, 8)],
	['another number', /number 2/, bytes => bytes.writeUInt8(2, 24)],
	['a run too many announced', /2 runs, and says 3/, bytes => bytes.writeUInt8(3, 52)],
	['a run too few announced', /2 runs, and says 1/, bytes => bytes.writeUInt8(1, 52)],
	['a first run that is not where it begins', /instead of chunk 7/, bytes => bytes.writeUInt8(7, 56)],
	['a beginning behind the end of its disk', /which is not there/, bytes => bytes.writeUInt8(10, 56)],
	['a beginning on a disk that is not there', /which is not there/, bytes => bytes.writeUInt8(3, 48)],
	['a run of an unknown kind', /kind 3/, bytes => bytes.writeUInt8(3, firstRun + 4)],
	['a run of an unknown kind, by its second byte', /kind 257/, bytes => bytes.writeUInt8(1, firstRun + 5)],
	['references that name a disk of the base', /kind 1 names disk 1/, bytes => bytes.writeUInt8(1, firstRun + 6)],
	[
		'a run as on a disk that no base has',
		/kind 2 names disk 64/,
		bytes => bytes.writeUInt32LE(0x40_0002, secondRun + 4),
	],
	['a gap', /begins at chunk 1 of disk 1 instead of chunk 0/, bytes => bytes.writeUInt8(1, secondRun + 8)],
	['a run on a disk further on', /of disk 2 instead/, bytes => bytes.writeUInt8(2, secondRun)],
	['a run past the end of its disk', /21 chunks where disk 1 has 20/, bytes => bytes.writeUInt8(21, secondRun + 16)],
	['an empty run', /run of 0 chunks/, bytes => bytes.writeUInt8(0, secondRun + 16)],
	['a number of chunks that no number holds', /run of/, bytes => bytes.fill(255, secondRun + 16, secondRun + 24)],
	['more references than there are bytes', /behind its end/, bytes => bytes.writeUInt8(5, firstRun + 16)],
	['a zero reference', /a reference is zero/, bytes => bytes.fill(0, firstRun + 24, firstRun + 24 + chunkRefBytes)],
	['a reference without stored bytes', /no stored bytes/, bytes => bytes.writeUInt32LE(0, firstRun + 24 + 52)],
	['a reference behind every pack', /no pack reaches/, bytes => bytes.writeUInt32LE(0xffff_fff0, firstRun + 24 + 48)],
];

for (const [what, message, alter] of wrongBytes)
	test(`\`decodeJournal\` of an object with ${what} is \`format_damaged\``, () => {
		assert.doesNotThrow(() =>
			decodeJournal(
				altered(sound, () => {}),
				identity,
			),
		);
		assert.throws(() => decodeJournal(altered(sound, alter), identity), { code: 'format_damaged', message });
	});

test('`decodeJournal` of a run that is cut off, or of more than 16 MiB, is `format_damaged`', () => {
	const whole = encodeJournal(sound, identity).subarray(0, -32);
	const cut = whole.subarray(0, secondRun + 23);
	assert.throws(() => decodeJournal(Buffer.concat([cut, digestOf(cut)]), identity), { message: /cut off/ });
	const large = Buffer.alloc(16 * 1024 * 1024 + 1);
	assert.throws(() => decodeJournal(large, identity), { code: 'format_damaged', message: /16777217 bytes/ });
});

test('`decodeJournal` knows the end of all disks as a beginning', () => {
	const atEnd = { attempt, begins: { disk: 2, chunk: 0 }, runs: [] };
	assert.deepEqual(decodeJournal(encodeJournal(atEnd, identity), identity), atEnd);
	const behind = { attempt, begins: { disk: 2, chunk: 1 }, runs: [] };
	assert.throws(() => decodeJournal(encodeJournal(behind, identity), identity), { message: /which is not there/ });
});

test('`decodeJournal` of a run as in the base, where the intent names none, is `format_damaged`', () => {
	const object = { attempt, begins: { disk: 0, chunk: 0 }, runs: [asBase(0, 0, 10, 0)] };
	const bytes = encodeJournal(object, identity);
	assert.deepEqual(decodeJournal(bytes, identity), object);
	assert.throws(() => decodeJournal(bytes, { ...identity, hasBase: false }), {
		code: 'format_damaged',
		message: /there is none/,
	});
});
