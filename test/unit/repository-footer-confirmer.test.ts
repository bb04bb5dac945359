import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { ChunkRef } from '../../model/chunk.ts';
import { BadPlaces } from '../../repository/bad-places.ts';
import { entriesOf, type PackEntries, type PackedChunk } from '../../repository/format/pack.ts';
import { encodePage } from '../../repository/format/page.ts';
import type { PageEntry } from '../../repository/format/reference.ts';
import { FooterConfirmer } from '../../repository/import/footer-confirmer.ts';

function hexOf(number: number, bytes: number): string {
	return number.toString(16).padStart(2 * bytes, '0');
}

/** Packs of chunks of different lengths; equal chunks may be in several. */
function packOf(pack: number, lengths: readonly number[]): PackEntries {
	let offsetBytes = 0;
	const chunks = lengths.map((storedBytes, number): PackedChunk => {
		offsetBytes += storedBytes;
		return { digest: hexOf(number % 7, 32), offsetBytes: offsetBytes - storedBytes, storedBytes };
	});
	return entriesOf({ packId: hexOf(pack, 16), kind: 'chunk', rawBytes: 0, chunks, dataDigest: Buffer.alloc(32) });
}

const anyPacks = fc.array(fc.array(fc.integer({ min: 41, max: 44 }), { minLength: 1, maxLength: 12 }), {
	minLength: 1,
	maxLength: 4,
});
/** Which chunk of which pack an entry names, and what is wrong with it. */
const anyEntry = fc.record({
	pack: fc.nat(4),
	chunk: fc.nat(12),
	wrong: fc.constantFrom('', '', '', 'digest', 'offset', 'length', 'bad', 'zero'),
});

function refOf({ packId, entries }: PackEntries, chunk: number): ChunkRef {
	let offsetBytes = 0;
	const lengthAt = (number: number) => entries.readUInt32LE(number * 36 + 32);
	for (let number = 0; number < chunk; number++) offsetBytes += lengthAt(number);
	const digest = entries.toString('hex', chunk * 36, chunk * 36 + 32);
	return { digest, packId, offsetBytes, storedBytes: lengthAt(chunk) };
}

test('`FooterConfirmer` finds the entries of a page that no footer has like that, or whose places are bad', async () => {
	await fc.assert(
		fc.asyncProperty(anyPacks, fc.array(anyEntry, { minLength: 1, maxLength: 40 }), async (lengths, wishes) => {
			const packs = lengths.map((each, pack) => packOf(pack, each));
			const bad = new BadPlaces();
			const wanted: number[] = [];
			const entries: PageEntry[] = [];
			for (const [number, { pack, chunk, wrong }] of wishes.entries()) {
				const found = packs[pack];
				if (wrong === 'zero') {
					entries.push('zero');
					continue;
				}
				// One of a pack that is not there.
				const ref = refOf(found ?? packOf(pack, [41]), chunk % (found?.count ?? 1));
				if (wrong === 'bad') await bad.mark(ref, 'by a test');
				if (wrong === 'digest') ref.digest = `1${ref.digest.slice(1)}`;
				if (wrong === 'offset') ref.offsetBytes += 1;
				if (wrong === 'length') ref.storedBytes += 1;
				if (found === undefined || ['digest', 'offset', 'length'].includes(wrong)) wanted.push(number);
				entries.push(ref);
			}
			// A place that is bad is so in every entry that names it.
			for (const [number, entry] of entries.entries())
				if (entry !== 'zero' && bad.has(entry) && !wanted.includes(number)) wanted.push(number);
			const read: string[] = [];
			const confirmer = new FooterConfirmer(async packId => {
				read.push(packId);
				return packs.find(pack => pack.packId === packId);
			}, bad);
			const page = encodePage(entries);
			wanted.sort((a, b) => a - b);
			assert.deepEqual(await confirmer.unusableIn(page, 0, entries.length), wanted);
			const from = Math.floor(entries.length / 3);
			assert.deepEqual(
				await confirmer.unusableIn(page, from, entries.length - 1),
				wanted.filter(number => number >= from && number < entries.length - 1),
			);
			assert.equal(new Set(read).size, read.length, 'each footer is read once');
		}),
	);
});

test('`FooterConfirmer` forgets footers that were not asked for lately', async () => {
	const lengths = Array.from({ length: 60_000 }, () => 41);
	const read: string[] = [];
	const confirmer = new FooterConfirmer(async packId => {
		read.push(packId);
		return packOf(Number(`0x${packId}`), lengths);
	}, new BadPlaces());
	for (const pack of [0, 1, 2, 0, 3, 4, 0, 1]) {
		const page = encodePage([refOf(packOf(pack, [41]), 0)]);
		assert.deepEqual(await confirmer.unusableIn(page, 0, 1), []);
	}
	assert.deepEqual(
		read.map(packId => Number(`0x${packId}`)),
		[0, 1, 2, 3, 4, 1],
	);
});
