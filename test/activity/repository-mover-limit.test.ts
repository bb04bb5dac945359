import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { ChunkRef } from '../../model/chunk.ts';
import { RepositoryMoverClient } from '../../movers/repository-mover/client.ts';
import { overSocket } from '../../movers/repository-mover/connections.ts';
import { DirectChunkSource } from '../../repository/direct-chunk-source.ts';
import { DiskReader } from '../../repository/disk-reader.ts';
import { openRepository } from '../../repository/repository.ts';
import { VerifiedChunks } from '../../repository/verified-chunks.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { type RepositoryMover, startRepositoryMover } from '../equipment/movers.ts';
import { sampleDisk, storeDisk } from '../equipment/stored-disk.ts';

const MiB = 1024 * 1024;
const windowMs = 3_000;

async function bench(t: TestContext) {
	const directory = await temporaryDirectory(t);
	const repository = join(directory, 'repository');
	const { image } = await storeDisk(repository, sampleDisk(4 * MiB), { chunkSizeBytes: 32 * 1024 });
	const opened = await openRepository(repository);
	const reader = new DiskReader(new VerifiedChunks(new DirectChunkSource(opened.store)), image);
	const refs: ChunkRef[] = [];
	for (let index = 0; index < reader.chunkCount; index += 1) {
		const entry = await reader.lookup(index);
		if (entry !== 'zero') refs.push(entry);
	}
	await opened.store.close();
	return { directory, refs, mover: await startRepositoryMover(t, directory, repository) };
}

/** Copies again and again, with so many requests at once, and counts what comes. */
class Stream {
	bytes = 0;
	readonly #over = new AbortController();
	readonly #lanes: Promise<void>[];

	constructor(t: TestContext, directory: string, refs: readonly ChunkRef[], name: string, lanes = 2) {
		const client = new RepositoryMoverClient(overSocket(join(directory, 'chunks.sock'), name));
		t.after(() => client.close());
		const lane = async () => {
			const options = { class: 'migration', signal: this.#over.signal } as const;
			while (!this.#over.signal.aborted)
				for await (const { stored } of client.fetch(refs, options)) this.bytes += stored.length;
		};
		this.#lanes = Array.from({ length: lanes }, () => lane().catch(() => undefined));
	}

	async end(): Promise<void> {
		this.#over.abort(new Error('over'));
		await Promise.all(this.#lanes);
	}
}

/** What the mover has given out, by its own count: a client on a busy machine comes late to what waits in its socket. */
async function served(mover: RepositoryMover): Promise<{ bytes: number; atMs: number }> {
	const { storedBytes } = (await mover.control.state()).served;
	return { bytes: storedBytes, atMs: performance.now() };
}

/** How much of it each stream got in some seconds. */
async function partsOf(mover: RepositoryMover, streams: readonly Stream[]): Promise<number[]> {
	const [before, got] = [await served(mover), streams.map(({ bytes }) => bytes)];
	await delay(windowMs);
	const after = await served(mover);
	return streams.map(({ bytes }, index) => (bytes - (got[index] ?? 0)) / (after.bytes - before.bytes));
}

test('a limit of what may be read of a repository in a second', async t => {
	const { directory, refs, mover } = await bench(t);
	await mover.control.rate(MiB);
	assert.equal((await mover.control.state()).maxRateBytes, MiB);
	const streams: Stream[] = [new Stream(t, directory, refs, 'r0')];
	while (streams.some(({ bytes }) => bytes === 0)) await delay(20);
	const before = await served(mover);

	for (const count of [1, 2, 4])
		await t.test(`is shared equally by ${count}, whatever each asks for`, async () => {
			while (streams.length < count)
				streams.push(new Stream(t, directory, refs, `r${streams.length}`, 2 + 4 * (streams.length % 2)));
			while (streams.some(({ bytes }) => bytes === 0)) await delay(20);
			const parts = await partsOf(mover, streams);
			// By requests alone those with three times as many would have three times as much.
			for (const part of parts) assert.ok(part > 0.7 / count && part < 1.3 / count, parts.join());
		});

	await t.test('counts what guests read', async () => {
		const guest = new RepositoryMoverClient(overSocket(join(directory, 'chunks.sock')));
		t.after(() => guest.close());
		const over = new AbortController();
		const reads = (async () => {
			for (let at = 0; !over.signal.aborted; at = (at + 1) % refs.length) {
				const chunks = guest.fetch(refs.slice(at, at + 1), { class: 'mount', signal: over.signal });
				for await (const chunk of chunks) await delay(chunk.stored.length > 0 ? 60 : 0);
			}
		})().catch(() => undefined); // it is ended in the middle
		const parts = await partsOf(mover, streams);
		over.abort();
		await reads;
		assert.ok(parts.reduce((sum, one) => sum + one, 0) < 0.95, `${parts.join()} of all, and the guest has the rest`);
	});

	await t.test('holds within 5 % over all of it', async () => {
		const after = await served(mover);
		const measured = ((after.bytes - before.bytes) * 1000) / (after.atMs - before.atMs);
		assert.ok(Math.abs(measured - MiB) <= MiB * 0.05, `${Math.round(measured)} B/s instead of ${MiB}`);
	});
	for (const stream of streams) await stream.end();
});
