import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { ChunkRef } from '../../model/chunk.ts';
import { RepositoryMoverClient } from '../../movers/repository-mover/client.ts';
import { overSocket } from '../../movers/repository-mover/connections.ts';
import { ChunkServer } from '../../movers/repository-mover/serve-chunks.ts';
import type { StoredChunk } from '../../repository/chunk-source.ts';
import { DirectChunkSource } from '../../repository/direct-chunk-source.ts';
import { DiskReader } from '../../repository/disk-reader.ts';
import { keys } from '../../repository/format/keys.ts';
import { openRepository } from '../../repository/repository.ts';
import { RetryingChunkSource } from '../../repository/retrying-chunk-source.ts';
import { VerifiedChunks } from '../../repository/verified-chunks.ts';
import { systemClock } from '../../system/clock.ts';
import { lockHolder } from '../../system/process-lock.ts';
import { listenOnSocket } from '../../system/unix-http.ts';
import { waitFor } from '../../system/wait.ts';
import { storedChunk } from '../equipment/stored-chunk.ts';
import { captive, temporaryDirectory } from '../equipment/captive.ts';
import { launchRepositoryMover, startRepositoryMover } from '../equipment/movers.ts';
import { sampleDisk, storeDisk } from '../equipment/stored-disk.ts';

interface Bench {
	directory: string;
	repository: string;
	refs: ChunkRef[];
	/** What the packs hold for them, read without a mover. */
	stored: Buffer[];
}

async function bench(t: TestContext, sizeBytes = 6 * 1024 * 1024): Promise<Bench> {
	const directory = await temporaryDirectory(t);
	const repository = join(directory, 'repository');
	const { image } = await storeDisk(repository, sampleDisk(sizeBytes), { chunkSizeBytes: 32 * 1024 });
	const opened = await openRepository(repository);
	const direct = new DirectChunkSource(opened.store);
	const reader = new DiskReader(new VerifiedChunks(direct), image);
	const refs: ChunkRef[] = [];
	for (let index = 0; index < reader.chunkCount; index += 1) {
		const entry = await reader.lookup(index);
		if (entry !== 'zero') refs.push(entry);
	}
	const stored = await bytesOf(direct.fetch(refs, { class: 'mount' }));
	await opened.store.close();
	return { directory, repository, refs, stored };
}

async function bytesOf(chunks: AsyncIterable<StoredChunk>): Promise<Buffer[]> {
	const all: Buffer[] = [];
	for await (const { stored } of chunks) all.push(Buffer.from(stored));
	return all;
}

function client(t: TestContext, directory: string): RepositoryMoverClient {
	const made = new RepositoryMoverClient(overSocket(join(directory, 'chunks.sock')));
	t.after(() => made.close());
	return made;
}

/** One that never gives up. */
function patientClient(t: TestContext, directory: string): RetryingChunkSource {
	return new RetryingChunkSource(client(t, directory), systemClock);
}

test('chunks come as they lie in the packs, in the order asked for, in both classes', async t => {
	const { directory, repository, refs, stored } = await bench(t);
	const mover = await startRepositoryMover(t, directory, repository);
	const source = client(t, directory);
	assert.deepEqual(await bytesOf(source.fetch(refs, { class: 'mount' })), stored);
	assert.deepEqual(await bytesOf(source.fetch(refs.toReversed(), { class: 'migration' })), stored.toReversed());
	const located = refs.slice(0, 5).map(ref => ({ ...ref, offsetBytes: ref.offsetBytes + 1 }));
	assert.deepEqual(await bytesOf(source.fetch(located, { class: 'mount', locate: true })), stored.slice(0, 5));
	const state = await mover.control.state();
	assert.equal(state.served.requests, 3);
	assert.equal(state.served.chunks, 2 * refs.length + 5);
	assert.deepEqual(state.active, { mount: 0, ahead: 0, migration: 0 });
});

test('a mover killed in the middle of a fetch, and the next one, give their caller all chunks once and in order', async t => {
	const { directory, repository, refs, stored } = await bench(t);
	let mover = await startRepositoryMover(t, directory, repository);
	const source = patientClient(t, directory);
	const got: Buffer[] = [];
	for await (const chunk of source.fetch(refs, { class: 'migration' })) {
		got.push(Buffer.from(chunk.stored));
		if (got.length !== 10 && got.length !== 60) continue;
		await mover.end('SIGKILL');
		if (got.length === 10) mover = await startRepositoryMover(t, directory, repository);
		// The second time it is away for a while: the client has to find nobody there before it finds the next.
		else
			void waitFor('the client to miss it', () => source.trouble !== undefined, { timeoutMs: 20_000 }).then(() =>
				startRepositoryMover(t, directory, repository),
			);
	}
	assert.deepEqual(got, stored);
});

test('a fetch waits for a mover that is not there yet', async t => {
	const { directory, repository, refs, stored } = await bench(t);
	const source = patientClient(t, directory);
	const fetching = bytesOf(source.fetch(refs, { class: 'mount' }));
	await waitFor('the client to find nobody', () => source.trouble?.code === 'mover_unreachable', { timeoutMs: 10_000 });
	await startRepositoryMover(t, directory, repository);
	assert.deepEqual(await fetching, stored);
	assert.equal(source.trouble, undefined);
});

test('a repository that is away means waiting, and its chunks come when it is back', async t => {
	const { directory, repository, refs, stored } = await bench(t);
	const mover = await startRepositoryMover(t, directory, repository);
	await rename(repository, `${repository}.away`);
	const source = patientClient(t, directory);
	const fetching = bytesOf(source.fetch(refs, { class: 'mount' }));
	await waitFor('the client to be told', () => source.trouble?.code === 'store_unreachable', { timeoutMs: 10_000 });
	assert.equal((await mover.control.state()).failure?.code, 'repository_missing');
	await rename(`${repository}.away`, repository);
	assert.deepEqual(await fetching, stored);
	assert.equal((await mover.control.state()).failure, null);
});

test('a mover that is not there is mover_unreachable', async t => {
	const source = client(t, await temporaryDirectory(t));
	const ref = { digest: '00'.repeat(32), packId: '00'.repeat(16), offsetBytes: 0, storedBytes: 1 };
	await assert.rejects(bytesOf(source.fetch([ref], { class: 'mount' })), { code: 'mover_unreachable' });
});

test('a chunk that no pack holds is chunk_missing after the chunks before it, also for one that never gives up', async t => {
	const { directory, repository, refs, stored } = await bench(t);
	await startRepositoryMover(t, directory, repository);
	const source = patientClient(t, directory);
	const lost = { digest: 'ee'.repeat(32), packId: 'ee'.repeat(16), offsetBytes: 0, storedBytes: 100 };
	const got: Buffer[] = [];
	await assert.rejects(
		async () => {
			for await (const chunk of source.fetch([...refs.slice(0, 3), lost], { class: 'mount' }))
				got.push(Buffer.from(chunk.stored));
		},
		{ code: 'chunk_missing' },
	);
	assert.deepEqual(got, stored.slice(0, 3));
});

test('leaving a fetch early or aborting it ends the work at the mover', async t => {
	const { directory, repository, refs } = await bench(t, 24 * 1024 * 1024);
	const mover = await startRepositoryMover(t, directory, repository);
	const source = patientClient(t, directory);
	for await (const chunk of source.fetch(refs, { class: 'migration' })) if (chunk.stored.length > 0) break;
	const idle = async () => (await mover.control.state()).active.migration === 0;
	await waitFor('the mover to be idle', idle, { timeoutMs: 10_000 });
	assert.ok((await mover.control.state()).served.chunks < refs.length);
	const abort = new AbortController();
	const fetching = bytesOf(source.fetch(refs, { class: 'mount', signal: abort.signal }));
	abort.abort(new Error('enough'));
	await assert.rejects(fetching, { message: 'enough' });
});

test('a reader that does not take its chunks holds the mover back, and a guest is served meanwhile', async t => {
	const { directory, repository, refs, stored } = await bench(t, 24 * 1024 * 1024);
	const mover = await startRepositoryMover(t, directory, repository);
	const source = patientClient(t, directory);
	const slow = source.fetch(refs, { class: 'migration' });
	await slow.next();
	// Another fetch runs to its end while the slow one stands: by then the mover could have sent the slow one all.
	assert.deepEqual(await bytesOf(source.fetch(refs, { class: 'mount' })), stored);
	const { served, active } = await mover.control.state();
	assert.equal(active.migration, 1);
	assert.ok(served.chunks < 2 * refs.length, `${served.chunks} of ${2 * refs.length}`);
	await slow.return();
});

test('one chunk after the other comes over one connection', async t => {
	const { directory, repository } = await bench(t, 256 * 1024);
	const { store } = await openRepository(repository);
	t.after(() => store.close());
	const raw = Buffer.alloc(128 * 1024, 'a chunk as any other');
	const { digest, stored } = await storedChunk(raw);
	const ref = { digest, packId: 'ab'.repeat(16), offsetBytes: 0, storedBytes: stored.length };
	await store.putExclusive(keys.pack(ref.packId), stored);
	const server = createServer(
		new ChunkServer(async () => new DirectChunkSource(store), { clock: systemClock }).connected,
	);
	let connections = 0;
	server.on('connection', () => (connections += 1));
	await listenOnSocket(server, join(directory, 'chunks.sock'));
	t.after(() => server.close());
	const source = patientClient(t, directory);
	const chunks = new VerifiedChunks(source);
	for (let turn = 0; turn < 3; turn += 1)
		assert.equal((await chunks.fetchOne({ ref, rawBytes: raw.length }, { class: 'mount' })).compare(raw), 0);
	assert.equal(connections, 1);
});

test('a repository mover that nobody uses ends by itself, but not while a mover of a recovery runs', async t => {
	const { directory, repository } = await bench(t);
	const recoveries = join(directory, 'recoveries');
	await mkdir(join(recoveries, 'r1'), { recursive: true });
	const lock = join(recoveries, 'r1', 'mount-mover.lock');
	const user = captive(t, 'flock', ['-n', '-F', lock, 'sleep', '600']);
	await waitFor('the lock to be held', async () => (await lockHolder(lock)) !== undefined, { timeoutMs: 10_000 });
	const mover = await startRepositoryMover(t, directory, repository, { recoveries, aloneMs: 200 });
	const unused = await launchRepositoryMover(t, await temporaryDirectory(t), repository, { aloneMs: 200 });
	const ended = ({ child }: typeof mover) => child.exitCode !== null;
	await waitFor('the one without users, started later, to end', () => ended(unused), { timeoutMs: 30_000 });
	assert.equal(ended(mover), false);
	await user.end('SIGKILL');
	await waitFor('the other one to end', () => ended(mover), { timeoutMs: 30_000 });
	assert.deepEqual([unused.child.exitCode, mover.child.exitCode, existsSync(mover.chunkSocket)], [0, 0, false]);
});
