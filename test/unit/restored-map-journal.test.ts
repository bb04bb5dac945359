import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import * as fc from 'fast-check';
import { RouseError } from '../../model/errors.ts';
import { createRestoredMap } from '../../movers/restored-map/create.ts';
import { restoredMapIdentity } from '../../movers/restored-map/identity.ts';
import { type ChunkRange, headerBytes, recordBytes } from '../../movers/restored-map/layout.ts';
import { openRestoredMapReader, readRestoredSummary } from '../../movers/restored-map/reader.ts';
import { openRestoredMapWriter } from '../../movers/restored-map/writer.ts';
import { identityOf, identityOfDisk } from '../equipment/restored-maps.ts';

const chunkCount = 64;
const identity = identityOfDisk(chunkCount);
let directory: string;
let mapNumber = 0;

before(async () => {
	directory = await mkdtemp(join(tmpdir(), 'rouse-map-'));
});
after(() => rm(directory, { recursive: true, force: true }));

async function newMap(): Promise<string> {
	const path = join(directory, `${(mapNumber += 1)}.map`);
	await createRestoredMap(path, identity, { targetReadsZero: true });
	return path;
}

async function append(path: string, ...ranges: ChunkRange[]): Promise<void> {
	const writer = await openRestoredMapWriter(path, identity);
	for (const range of ranges) await writer.append([range]);
	await writer.close();
}

async function restored(path: string): Promise<Set<number>> {
	const reader = await openRestoredMapReader(path, identity);
	await reader.close();
	return new Set(Array.from({ length: chunkCount }, (_, chunk) => chunk).filter(chunk => reader.has(chunk)));
}

const chunksOf = (ranges: readonly ChunkRange[]) =>
	new Set(ranges.flatMap(({ first, count }) => Array.from({ length: count }, (_, n) => first + n)));

const range = fc
	.tuple(fc.nat(chunkCount - 1), fc.integer({ min: 1, max: 20 }))
	.map(([first, count]) => ({ first, count: Math.min(count, chunkCount - first) }));

test('`openRestoredMapReader` of a map cut at any byte claims the whole records before the cut alone', async () => {
	await fc.assert(
		fc.asyncProperty(fc.array(range, { minLength: 1, maxLength: 4 }), async ranges => {
			const path = await newMap();
			await append(path, ...ranges);
			for (let size = (await stat(path)).size; size >= headerBytes; size -= 1) {
				await truncate(path, size);
				const whole = Math.floor((size - headerBytes) / recordBytes);
				assert.deepEqual(await restored(path), chunksOf(ranges.slice(0, whole)), `cut to ${size}`);
			}
		}),
		{ numRuns: 15 },
	);
});

test('`openRestoredMapReader` of a map with any bit flipped claims no chunk from the broken record on', async () => {
	await fc.assert(
		fc.asyncProperty(fc.array(range, { minLength: 1, maxLength: 3 }), fc.nat(), async (ranges, where) => {
			const path = await newMap();
			await append(path, ...ranges);
			const bytes = await readFile(path);
			const bit = headerBytes * 8 + (where % ((bytes.length - headerBytes) * 8));
			bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
			await writeFile(path, bytes);
			const broken = Math.floor(((bit >> 3) - headerBytes) / recordBytes);
			assert.deepEqual(await restored(path), chunksOf(ranges.slice(0, broken)));
		}),
		{ numRuns: 150 },
	);
});

test('`openRestoredMapWriter` cuts off zeros and garbage after the last record, and no reader believes them', async () => {
	for (const tail of [Buffer.alloc(4096), Buffer.alloc(40, 0xa5), Buffer.alloc(15, 1)]) {
		const path = await newMap();
		await append(path, { first: 3, count: 2 });
		await writeFile(path, Buffer.concat([await readFile(path), tail]));
		assert.deepEqual(await restored(path), new Set([3, 4]));
		await append(path, { first: 9, count: 1 });
		assert.deepEqual(await restored(path), new Set([3, 4, 9]));
		assert.equal((await stat(path)).size, headerBytes + 2 * recordBytes);
	}
});

test('`openRestoredMapWriter` brings back no record behind a broken one that it replaces', async () => {
	const path = await newMap();
	await append(path, { first: 0, count: 1 }, { first: 10, count: 1 }, { first: 20, count: 1 });
	const bytes = await readFile(path);
	bytes[headerBytes + recordBytes] = 0xff;
	await writeFile(path, bytes);
	await append(path, { first: 30, count: 1 });
	assert.deepEqual(await restored(path), new Set([0, 30]));
});

test('`readRestoredSummary` counts chunks that were recorded twice once', async () => {
	const path = await newMap();
	await append(path, { first: 5, count: 10 }, { first: 5, count: 10 }, { first: 0, count: 7 });
	const summary = await readRestoredSummary(path, identity);
	assert.deepEqual(summary, { restoredChunks: 15, restoredBytes: 15 * 4096, complete: false });
});

test('`readRestoredSummary` counts a last chunk that is not full by what it holds', async () => {
	const path = await newMap();
	await append(path, { first: 0, count: chunkCount });
	const summary = await readRestoredSummary(path, identity);
	assert.deepEqual(summary, { restoredChunks: chunkCount, restoredBytes: identity.sizeBytes, complete: true });
});

test('`RestoredMapReader.refresh` follows a writer, and stays at a torn record until it is whole', async () => {
	const path = await newMap();
	const reader = await openRestoredMapReader(path, identity);
	assert.equal(await reader.refresh(), false);
	await append(path, { first: 1, count: 1 });
	assert.equal(await reader.refresh(), true);
	assert.equal(reader.has(1), true);
	await append(path, { first: 2, count: 1 });
	const whole = await readFile(path);
	await truncate(path, whole.length - 1);
	assert.equal(await reader.refresh(), false);
	assert.equal(reader.has(2), false);
	await writeFile(path, whole);
	assert.equal(await reader.refresh(), true);
	assert.equal(reader.has(2), true);
	await reader.close();
});

test('`readRestoredSummary` takes in more records than one read holds', async () => {
	const path = await newMap();
	const writer = await openRestoredMapWriter(path, identity);
	await writer.append(Array.from({ length: 70_000 }, (_, n) => ({ first: n % (chunkCount - 1), count: 1 })));
	await writer.append([{ first: chunkCount - 1, count: 1 }]);
	await writer.close();
	assert.equal((await readRestoredSummary(path, identity)).complete, true);
});

test('`createRestoredMap` of a map that is there leaves what was recorded', async () => {
	const path = await newMap();
	await append(path, { first: 1, count: 1 });
	await createRestoredMap(path, identity, { targetReadsZero: true });
	assert.deepEqual(await restored(path), new Set([1]));
});

test('a map of another recovery, disk or target is `identity_conflict` for `createRestoredMap`, reader and writer', async () => {
	const path = await newMap();
	const foreign = [
		identityOfDisk(chunkCount, { recoveryId: '00000000-0000-4000-8000-000000000000' }),
		identityOfDisk(chunkCount, { contentDigest: 'cd'.repeat(32) }),
		identityOfDisk(chunkCount + 1),
		identityOfDisk(chunkCount, { target: 'file-4712-1' }),
	];
	for (const other of foreign) {
		await assert.rejects(createRestoredMap(path, other, { targetReadsZero: true }), conflict);
		await assert.rejects(openRestoredMapReader(path, other), conflict);
		await assert.rejects(openRestoredMapWriter(path, other), conflict);
	}
});

test('`restoredMapIdentity` of a target made anew under its old name is another one', async () => {
	const path = join(directory, 'target');
	await writeFile(path, 'a');
	const image = {
		sizeBytes: 1,
		chunkSizeBytes: 4096,
		frameSizeBytes: 65_536,
		contentDigest: identity.contentDigest,
		dataBytes: 0,
	};
	const first = restoredMapIdentity(identity.recoveryId, image, await identityOf(path));
	await rm(path); // the inode's number is free again, and most file systems take it for the next file
	await writeFile(path, 'a');
	const second = restoredMapIdentity(identity.recoveryId, image, await identityOf(path));
	assert.notDeepEqual(first, second);
});

test('`RestoredMapWriter.append` after one that failed is `io_failed`', async () => {
	const path = await newMap();
	const writer = await openRestoredMapWriter(path, identity);
	await assert.rejects(writer.append([{ first: chunkCount, count: 1 }]));
	await assert.rejects(writer.append([{ first: 0, count: 1 }]), (error: unknown) => {
		return error instanceof RouseError && error.code === 'io_failed';
	});
	assert.equal(writer.bitmap.restoredChunks, 0);
	await writer.close();
});

function conflict(error: unknown): boolean {
	return error instanceof RouseError && error.code === 'identity_conflict';
}
