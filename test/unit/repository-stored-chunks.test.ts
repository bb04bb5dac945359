import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PackFooter } from '../../repository/format/pack.ts';
import { StoredChunks } from '../../repository/import/stored-chunks.ts';
import { digestNumber, packNumber } from '../equipment/indexed-packs.ts';

test('`StoredChunks` gives the packs of a full group as they were stored, and forgets their chunks alone', () => {
	const chunks = new StoredChunks();
	const footers: PackFooter[] = [];
	let full: ReturnType<StoredChunks['stored']>;
	for (let pack = 0; pack < 65; pack += 1) {
		assert.equal(full, undefined);
		const [digest, packId] = [digestNumber(pack), packNumber(pack)];
		chunks.add(Buffer.from(digest, 'hex'), { digest, packId, offsetBytes: 0, storedBytes: 41 });
		const packed = [{ digest, offsetBytes: 0, storedBytes: 41 }];
		const footer = { packId, kind: 'chunk', rawBytes: 7, chunks: packed, dataDigest: Buffer.alloc(32, pack) } as const;
		footers.push(footer);
		full = chunks.stored({ footer, sizeBytes: 1000 + pack });
	}
	assert.deepEqual(
		full?.map(({ footer, sizeBytes }) => ({ footer, sizeBytes })),
		footers.slice(0, 64).map((footer, pack) => ({ footer, sizeBytes: 1000 + pack })),
	);
	chunks.forget(full ?? []);
	const isKnown = (pack: number) => chunks.find(Buffer.from(digestNumber(pack), 'hex')) !== undefined;
	assert.deepEqual([isKnown(0), isKnown(63), isKnown(64)], [false, false, true]);
	assert.deepEqual(
		chunks.rest().map(({ footer }) => footer),
		footers.slice(64),
	);
});
