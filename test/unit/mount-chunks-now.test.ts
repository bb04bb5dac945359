import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChunkBuffers } from '../../movers/mount-mover/chunk-buffers.ts';
import { ChunksNow } from '../../movers/mount-mover/chunks-now.ts';
import type { WantedChunk } from '../../repository/verified-chunks.ts';
import { storedChunk } from '../equipment/stored-chunk.ts';

const never = new AbortController().signal;

/** Chunks that lie apart, each in a pack of its own; those whose numbers are in `wrong` are something else there. */
async function bench({ count = 6, tookMs = 0, wrong = [] as number[] } = {}) {
	const stored: Buffer[] = [];
	const wanted: (WantedChunk & { number: number })[] = [];
	for (let number = 0; number < count; number++) {
		const chunk = await storedChunk(Buffer.alloc(4096, `chunk ${number} `));
		stored.push(chunk.stored);
		const packId = `${number}`.padStart(32, '0');
		wanted.push({
			number,
			ref: { digest: chunk.digest, packId, offsetBytes: 0, storedBytes: chunk.stored.length },
			rawBytes: 4096,
		});
	}
	const read: number[] = [];
	const readNow = ({ packId }: { packId: string }, into: Uint8Array) => {
		const number = Number(packId);
		read.push(number);
		if (wrong.includes(number)) into.fill(1);
		else into.set(stored[number] ?? assert.fail());
		return true;
	};
	let nowMs = 0;
	const clock = { now: () => (nowMs += tookMs) };
	const source = { readNow, ranges: () => assert.fail('another way') };
	const chunks = new ChunksNow(source, new ChunkBuffers(), clock);
	const arrived: number[] = [];
	const fetch = async (asked: (WantedChunk & { number: number; doubtful?: boolean })[], signal = never) => {
		const left = await chunks.read(asked, signal, ({ number }, chunk) => {
			const bytes = Buffer.alloc(4096);
			chunk.copy(bytes, 0, 0, 4096);
			assert.ok(bytes.equals(Buffer.alloc(4096, `chunk ${number} `)));
			arrived.push(number);
		});
		return left.map(({ number }) => number);
	};
	return { wanted, fetch, arrived, read };
}

test('`ChunksNow.read` reads chunks that lie apart, and leaves what is not the chunk, or is doubtful', async () => {
	const { wanted, fetch, arrived, read } = await bench({ wrong: [1] });
	const asked = wanted.map(chunk => ({ ...chunk, doubtful: chunk.number === 4 }));
	assert.deepEqual(await fetch(asked), [1, 4]);
	assert.deepEqual(arrived, [0, 2, 3, 5]);
	assert.deepEqual(read, [0, 1, 2, 3, 5]);
});

test('`ChunksNow.read` leaves neighbours to one large read', async () => {
	const { wanted, fetch, read } = await bench();
	let offsetBytes = 0;
	const neighbours = wanted.map(({ ref, ...chunk }) => {
		const at = offsetBytes;
		offsetBytes += ref.storedBytes;
		return { ...chunk, ref: { ...ref, packId: '0'.repeat(32), offsetBytes: at } };
	});
	assert.deepEqual(await fetch(neighbours), [0, 1, 2, 3, 4, 5]);
	assert.deepEqual(read, []);
});

test('`ChunksNow.read` leaves the rest to others after reads that took long', async () => {
	const { wanted, fetch, read } = await bench({ tookMs: 5 });
	assert.deepEqual(await fetch(wanted), [2, 3, 4, 5]);
	assert.deepEqual(read, [0, 1]);
});

test('`ChunksNow.read` lets nobody wait for a turn of which it makes no use', async () => {
	const { wanted, fetch } = await bench({ tookMs: 5 });
	await fetch(wanted); // slow, so that the next ones are for others
	let turns = 0;
	const count = () => {
		turns += 1;
		counting = setImmediate(count);
	};
	let counting = setImmediate(count);
	await fetch([...wanted, ...wanted]);
	clearImmediate(counting);
	assert.equal(turns, 0);
});

test('`ChunksNow.read` reads nothing more once it is called off', async () => {
	const { wanted, fetch, arrived } = await bench();
	const ending = new AbortController();
	const all = fetch(wanted, ending.signal);
	ending.abort();
	assert.deepEqual(await all, [4, 5]);
	assert.deepEqual(arrived, [0, 1, 2, 3]);
});
