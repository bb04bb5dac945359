import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChunkRef } from '../../model/chunk.ts';
import { BadPlaces } from '../../repository/bad-places.ts';
import { entriesOf } from '../../repository/format/pack.ts';
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
