import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChunkRef } from '../../model/chunk.ts';
import { BadPlaces } from '../../repository/bad-places.ts';
import { entriesOf, type PackEntries } from '../../repository/format/pack.ts';
import { encodePage } from '../../repository/format/page.ts';
import { FooterConfirmer } from '../../repository/import/footer-confirmer.ts';

function refIn(pack: number): ChunkRef {
	const digest = 'ab'.repeat(32);
	return { digest, packId: pack.toString(16).padStart(32, '0'), offsetBytes: 0, storedBytes: 41 };
}

test('`FooterConfirmer` keeps nothing of what a footer was read with, and few footers of packs with few chunks', async () => {
	const asked: string[] = [];
	const read: Buffer[] = [];
	const footerOf = async (packId: string) => {
		asked.push(packId);
		const chunks = [{ digest: 'ab'.repeat(32), offsetBytes: 0, storedBytes: 41 }];
		const footer = entriesOf({ packId, kind: 'chunk', rawBytes: 41, chunks, dataDigest: Buffer.alloc(32) });
		read.push(footer.entries);
		return footer;
	};
	const confirmer = new FooterConfirmer(footerOf, new BadPlaces());
	const look = async (pack: number) =>
		assert.deepEqual(await confirmer.unusableIn(encodePage([refIn(pack)]), 0, 1), []);
	await look(0);
	read[0]?.fill(0);
	await look(0);
	assert.equal(asked.length, 1);
	for (let pack = 1; pack <= 30_000; pack++) await look(pack);
	await look(0);
	assert.equal(asked.length, 30_002);
});

test('`FooterConfirmer` asks for each footer of a page once, also where more of them alternate than it keeps', async () => {
	const count = 60_000;
	const entries = Buffer.alloc(36 * count, 0xab);
	for (let chunk = 0; chunk < count; chunk++) entries.writeUInt32LE(41, 36 * chunk + 32);
	const asked: string[] = [];
	const footerOf = async (packId: string): Promise<PackEntries> => {
		asked.push(packId);
		return { packId, kind: 'chunk', rawBytes: 41 * count, count, entries, dataDigest: Buffer.alloc(32) };
	};
	const bad = new BadPlaces();
	const confirmer = new FooterConfirmer(footerOf, bad);
	const refs = Array.from({ length: 40 }, (_, entry) => ({ ...refIn(entry % 5), offsetBytes: 41 * entry }));
	const [second, third] = [refs[7], refs[22]];
	assert.ok(second && third);
	await bad.mark(third, 'by a test');
	second.storedBytes = 42;
	assert.deepEqual(await confirmer.unusableIn(encodePage(refs), 0, 40), [7, 22]);
	assert.equal(asked.length, 5);
});
