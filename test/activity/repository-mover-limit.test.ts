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
import { startRepositoryMover } from '../equipment/movers.ts';
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

/** Bytes a second of each in a window of some seconds. */
async function speeds(streams: readonly Stream[]): Promise<number[]> {
	const before = streams.map(({ bytes }) => bytes);
	const begun = performance.now();
	await delay(windowMs);
	const seconds = (performance.now() - begun) / 1000;
	return streams.map(({ bytes }, index) => (bytes - (before[index] ?? 0)) / seconds);
}

function mustBeNear(measured: number, limit: number, what: string): void {
	assert.ok(Math.abs(measured - limit) <= limit * 0.05, `${what}: ${Math.round(measured)} B/s instead of ${limit}`);
}

const sum = (numbers: readonly number[]) => numbers.reduce((all, one) => all + one, 0);

test('a limit of what may be read of a repository in a second', async t => {
	const { directory, refs, mover } = await bench(t);
	await mover.control.rate(MiB);
	assert.equal((await mover.control.state()).maxRateBytes, MiB);
	const streams: Stream[] = [];

	for (const count of [1, 2, 4])
		await t.test(`holds within 5 % for ${count}, shared equally whatever each asks for`, async () => {
			while (streams.length < count)
				streams.push(new Stream(t, directory, refs, `r${streams.length}`, 1 + (streams.length % 2)));
			while (streams.some(({ bytes }) => bytes === 0)) await delay(20);
			const measured = await speeds(streams);
			mustBeNear(sum(measured), MiB, 'together');
			for (const one of measured) mustBeNear(one, MiB / count, 'one stream');
		});

	await t.test('counts what guests read, which do not wait for it', async () => {
		const guest = new RepositoryMoverClient(overSocket(join(directory, 'chunks.sock')));
		t.after(() => guest.close());
		const over = new AbortController();
		let read = 0;
		const reads = (async () => {
			for (let at = 0; !over.signal.aborted; at = (at + 1) % refs.length) {
				for await (const { stored } of guest.fetch(refs.slice(at, at + 1), { class: 'mount' })) read += stored.length;
				await delay(60);
			}
		})();
		const [before, begun] = [read, performance.now()];
		const copied = sum(await speeds(streams));
		const byGuest = ((read - before) * 1000) / (performance.now() - begun);
		mustBeNear(copied + byGuest, MiB, 'copies and guest');
		assert.ok(byGuest > MiB / 5, `${byGuest} B/s, where a copy has a fifth of what is left`);
		over.abort();
		await reads;
	});

	for (const stream of streams) await stream.end();
});
