import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChunkBuffers } from '../../movers/mount-mover/chunk-buffers.ts';
import { openChunks } from '../../movers/mount-mover/open-chunks.ts';
import type { RangeSource } from '../../repository/chunk-source.ts';
import { noise } from '../equipment/repositories.ts';
import { storedChunk } from '../equipment/stored-chunk.ts';

const rawBytes = 64 * 1024;

/** Has memory for so many. */
class FewBuffers extends ChunkBuffers {
	#left: number;

	constructor(left: number) {
		super();
		this.#left = left;
	}

	override take(lengthBytes: number): Buffer {
		if (this.#left-- === 0) throw new RangeError('Array buffer allocation failed');
		return super.take(lengthBytes);
	}
}

test('`openChunks` leaves chunks that have come and for which there was no memory to the other way', async () => {
	const stored = await Promise.all([1, 2, 3].map(seed => storedChunk(noise(rawBytes, seed))));
	const source: Pick<RangeSource, 'ranges'> = {
		async *ranges(refs) {
			yield {
				refs,
				lengths: stored.map(one => one.stored.length),
				bytes: Buffer.concat(stored.map(one => one.stored)),
			};
		},
	};
	const wanted = stored.map(one => ({
		ref: { digest: one.digest, packId: '0'.repeat(32), offsetBytes: 0, storedBytes: one.stored.length },
		rawBytes,
	}));
	const arrived: unknown[] = [];
	const options = { class: 'mount', signal: new AbortController().signal } as const;
	const left = await openChunks(source, new FewBuffers(1), wanted, options, want => arrived.push(want));
	assert.deepEqual(arrived, wanted.slice(0, 1));
	assert.deepEqual(left, wanted.slice(1));
});
