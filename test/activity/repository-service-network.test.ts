/** What a network does to movers that read by TLS: they wait, and nothing of it is an error to a guest or a copy. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createServer as createTls } from 'node:tls';
import type { ChunkRef } from '../../model/chunk.ts';
import type { MoverDisk } from '../../movers/config.ts';
import { RepositoryMoverClient } from '../../movers/repository-mover/client.ts';
import { openRepositoryMover } from '../../movers/repository-mover/open-client.ts';
import { ChunkServer } from '../../movers/repository-mover/serve-chunks.ts';
import { serveTls } from '../../movers/repository-mover/serve-tls.ts';
import { overTls } from '../../movers/repository-mover/tls-connections.ts';
import type { PlacedRef, RangeSource, StoredRange } from '../../repository/chunk-source.ts';
import { diskChunks } from '../../repository/disk-chunks.ts';
import { DiskReader } from '../../repository/disk-reader.ts';
import { RetryingChunkSource } from '../../repository/retrying-chunk-source.ts';
import { admitHost, serviceKeys } from '../../repository/service/service-keys.ts';
import { VerifiedChunks, type WantedChunk } from '../../repository/verified-chunks.ts';
import { certifiedCallersOnly } from '../../system/certified-callers.ts';
import { systemClock } from '../../system/clock.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { CutCable } from '../equipment/cut-cable.ts';
import { Line, type LineOptions } from '../equipment/line.ts';
import { connectTo, mountState, startMountMover } from '../equipment/mount-movers.ts';
import { allocateTarget, checkClaims, migrationState, startMigrationMover } from '../equipment/movers.ts';
import { collect } from '../equipment/repositories.ts';
import { type RepositoryService, serveSample, type ServiceOptions } from '../equipment/repository-service.ts';
import { run } from '../equipment/served-disk.ts';
import { sampleDisk, storeDisk, type StoredDisk } from '../equipment/stored-disk.ts';

const MiB = 1024 * 1024;
const chunkSizeBytes = 32 * 1024;
const needsRoot = process.getuid?.() === 0 ? false : 'only root can lay a cable';

interface Bench {
	directory: string;
	stored: StoredDisk;
	disk: MoverDisk;
	served: RepositoryService;
}

async function bench(t: TestContext, options: ServiceOptions & { sizeBytes?: number }): Promise<Bench> {
	const directory = await temporaryDirectory(t);
	const { sizeBytes = 6 * MiB, ...service } = options;
	const stored = await storeDisk(join(directory, 'repository'), sampleDisk(sizeBytes), { chunkSizeBytes });
	const disk = await allocateTarget(directory, stored.image);
	return { directory, stored, disk, served: await serveSample(t, directory, service) };
}

test('a cable that is cut for longer than a mover hears nothing means waiting', { skip: needsRoot }, async t => {
	const cable = await CutCable.laid(t);
	const where = { host: cable.address, namespace: cable.namespace, silenceMs: 1_000 };
	const { directory, stored, disk, served } = await bench(t, { ...where, sizeBytes: 24 * MiB });
	const byTls = { chunkSocket: undefined, chunkService: served.service };
	const mount = await startMountMover(t, directory, [disk], byTls);
	const migration = await startMigrationMover(t, directory, [disk], {}, byTls);
	const client = await connectTo(t, mount, 'disk0-wait');
	assert.ok((await client.read(0, MiB)).equals(stored.bytes.subarray(0, MiB)));
	await migration.control.copy(4 * MiB);
	await migrationState(migration, 'begun', ({ disks }) => (disks[0]?.restoredBytes ?? 0) > 0);

	await cable.cut();
	const reading = client.read(23 * MiB, MiB);
	const isCut = { code: 'mover_unreachable', message: /nothing was heard|no connection/ };
	const { failure } = await mountState(
		mount,
		'to miss the other side',
		state => state.failure !== null && state.waitingReads > 0,
	);
	assert.match(failure?.message ?? '', isCut.message);
	const { trouble } = await migrationState(migration, 'to miss it as well', state => state.trouble !== null);
	assert.equal(trouble?.code, isCut.code);
	const { badChunks, copying } = await migration.control.state();
	assert.deepEqual({ badChunks, copying }, { badChunks: [], copying: true });

	await cable.mend();
	assert.ok((await reading).equals(stored.bytes.subarray(23 * MiB, 24 * MiB)));
	await migration.control.rate(0);
	await migrationState(migration, 'all restored', ({ disks }) => disks.every(({ complete }) => complete));
	assert.equal((await checkClaims(stored, disk)).complete, true);
	const after = await mount.control.state();
	assert.deepEqual([after.failure, after.badChunks, after.waitingReads], [null, [], 0]);
});

/** The chunks of the served disk, over a line, as a mover reads them. */
async function overLine(t: TestContext, options: LineOptions & { silenceMs: number }) {
	const { served, stored } = await bench(t, { silenceMs: options.silenceMs });
	const line = await Line.to(t, served.port, options);
	const client = await openRepositoryMover({ chunkService: { ...served.service, port: line.port } });
	const waits: number[] = [];
	const clock = {
		delay: (ms: number, signal?: AbortSignal) => {
			waits.push(ms);
			return systemClock.delay(ms, signal);
		},
	};
	const source = new RetryingChunkSource(client, clock);
	t.after(() => source.close());
	const chunks = new VerifiedChunks(source);
	const reader = new DiskReader(chunks, stored.image);
	const wanted: (WantedChunk & { index: number })[] = [];
	// Through the service itself, and not over the line.
	const direct = await openRepositoryMover({ chunkService: served.service });
	t.after(() => direct.close());
	for await (const { index, ref } of diskChunks(
		new VerifiedChunks(direct),
		new DiskReader(new VerifiedChunks(direct), stored.image),
		{ class: 'mount' },
	))
		wanted.push({ index, ...reader.wanted(index, ref) });
	const read = async (some: typeof wanted, meanwhile: () => void = () => {}) => {
		let right = 0;
		for await (const { wanted: one, bytes } of chunks.fetch(some, { class: 'migration' })) {
			const at = one.index * chunkSizeBytes;
			if (bytes?.equals(stored.bytes.subarray(at, at + bytes.length))) right += 1;
			meanwhile();
		}
		assert.equal(right, some.length);
	};
	return { line, wanted, read, waits };
}

test('connections that died without a word are given up after one silence, and others opened', async t => {
	const { line, wanted, read, waits } = await overLine(t, { silenceMs: 2_000 });
	await Promise.all([0, 4, 8, 12].map(from => read(wanted.slice(from, from + 4))));
	assert.ok(line.connections >= 4);
	line.freeze();
	await read(wanted.slice(20, 25));
	assert.equal(waits.length, 1);
});

test('a connection that dies in the middle of an answer is given up, and the rest asked for on another', async t => {
	const { line, wanted, read, waits } = await overLine(t, { silenceMs: 2_000, bytesPerSecond: 2 * MiB });
	let first = true;
	await read(wanted, () => {
		if (first) line.freeze();
		first = false;
	});
	assert.deepEqual([line.connections, waits.length], [2, 1]);
});

test('a port that accepts and says nothing costs one connection at a time', async t => {
	const { port, client } = await scripted(t, () => assert.fail(), {});
	assert.ok(port);
	let open = 0;
	let ever = 0;
	const mute = createServer(socket => {
		open += 1;
		ever += 1;
		socket.on('error', () => {}).once('close', () => (open -= 1));
		socket.resume();
	});
	await new Promise<void>(resolve => mute.listen(0, '127.0.0.1', resolve));
	t.after(() => mute.close());
	const address = mute.address();
	assert.ok(typeof address === 'object' && address);
	const source = new RetryingChunkSource(client(address.port, 100), systemClock);
	t.after(() => source.close());
	const fetching = collect(source.fetch(refs, { class: 'mount' }));
	fetching.catch(() => {}); // ended with the test
	await waitFor('some attempts', () => ever === 4, { timeoutMs: 60_000 });
	assert.ok(open <= 2, `${open} open`);
	assert.equal(source.trouble?.code, 'mover_unreachable');
});

test('a service that does not know the protocol of its client is a refusal that says so', async t => {
	const { client, keys } = await scripted(t, () => assert.fail(), {});
	const { authority, server: own } = keys;
	const older = createTls(await certifiedCallersOnly({ authority, own }, ['http/1.1']));
	older.on('tlsClientError', (_refused, caller) => caller.destroy());
	await new Promise<void>(resolve => older.listen(0, '127.0.0.1', resolve));
	t.after(() => older.close());
	const address = older.address();
	assert.ok(typeof address === 'object' && address);
	await assert.rejects(collect(client(address.port).fetch(refs, { class: 'mount' })), {
		code: 'protocol',
		message: /version 1 of the chunk protocol here, and there something else/,
	});
});

test('a long and thin line, on which a record takes longer than the longest silence, is waited for', async t => {
	const { line, wanted, read, waits } = await overLine(t, {
		silenceMs: 2_000,
		delayMs: 150,
		bytesPerSecond: 5 * 1024,
	});
	// Of noise, and so two records of 16 KiB.
	const whole = wanted.find(({ ref }) => ref.storedBytes > chunkSizeBytes) ?? assert.fail();
	await read([whole]);
	assert.deepEqual([line.connections, waits], [1, []]);
});

test('a mount mover behind a long line gives a disk whole', async t => {
	const { directory, stored, disk, served } = await bench(t, {});
	const line = await Line.to(t, served.port, { delayMs: 30, bytesPerSecond: 4 * MiB });
	const service = { ...served.service, port: line.port };
	const mover = await startMountMover(t, directory, [disk], { chunkSocket: undefined, chunkService: service });
	const copy = join(directory, 'copy.raw');
	await run('nbdcopy', [mover.uri('disk0'), copy]);
	assert.ok((await readFile(copy)).equals(stored.bytes));
});

const everybody = { admits: async () => true };

/** A range of one chunk. */
function alone(ref: ChunkRef, fill = 1): StoredRange {
	return { refs: [ref], lengths: [ref.storedBytes], bytes: Buffer.alloc(ref.storedBytes, fill) };
}

/** A server of chunks in this process, over whatever the test has for a source, and clients of it. */
async function scripted(
	t: TestContext,
	ranges: RangeSource['ranges'],
	options: { aliveEveryMs?: number; now?: () => number; unmovedMs?: number },
) {
	const { aliveEveryMs = 60_000, now = () => systemClock.now(), unmovedMs = 60_000 } = options;
	const directory = await temporaryDirectory(t);
	const source = { ranges, fetch: () => assert.fail(), close: async () => {} };
	const server = new ChunkServer(async () => source, {
		clock: { now, delay: (ms, signal) => systemClock.delay(ms, signal) },
		aliveEveryMs,
		unmovedMs,
	});
	const keys = await serviceKeys(join(directory, 'home'));
	const { authority, certificate, key } = await admitHost(join(directory, 'home'), 'hv1', join(directory, 'keys'));
	const served = { chunks: server.connected, asked: () => assert.fail() };
	const listening = await serveTls({ host: '127.0.0.1', port: 0 }, keys, served, { gate: everybody });
	t.after(() => listening.close());
	const [ca, crt, secret] = await Promise.all([authority, certificate, key].map(path => readFile(path)));
	assert.ok(ca && crt && secret);
	const files = { authority, certificate, key, token: '/none' };
	const client = (port: number, silenceMs = 60_000): RepositoryMoverClient => {
		const service = { host: '127.0.0.1', port, ...files, silenceMs };
		const shown = { authority: ca, certificate: crt, key: secret, token: 'none' };
		const made = new RepositoryMoverClient({
			...overTls(service, shown),
			hello: { naming: 'references', says: '' },
		});
		t.after(() => made.close());
		return made;
	};
	return { server, port: listening.port, client, keys };
}

const refs: ChunkRef[] = Array.from({ length: 8 }, (_, number) => ({
	digest: `0${number}`.repeat(32),
	packId: '00'.repeat(16),
	offsetBytes: number,
	storedBytes: 1000,
}));

test('a repository that takes longer than the longest silence is waited for: its mover says that it is there', async t => {
	const gate = Promise.withResolvers<void>();
	const ranges = async function* (wanted: readonly PlacedRef[]) {
		for (const ref of wanted) {
			await gate.promise;
			yield alone(ref);
		}
	};
	const { server, port, client } = await scripted(t, ranges, { aliveEveryMs: 100 });
	const line = await Line.to(t, port);
	const patient = client(line.port, 1_000);
	const fetching = collect(patient.fetch(refs, { class: 'mount' }));
	await waitFor('the request', () => server.active.mount === 1, { timeoutMs: 20_000 });
	// Of 26 bytes each, in a record of TLS.
	const enough = line.bytesDown + 40 * 26;
	await waitFor('some signs of life', () => line.bytesDown > enough, { timeoutMs: 60_000 });
	gate.resolve();
	assert.deepEqual(
		(await fetching).map(({ stored }) => stored.length),
		refs.map(({ storedBytes }) => storedBytes),
	);
	assert.equal(line.connections, 1);
});

test('by TLS too a guest is served before the rest of a migration that is being answered', async t => {
	const [mountGate, migrationGate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
	let held = true;
	const ranges: RangeSource['ranges'] = async function* (wanted, { class: urgency }) {
		for (const [position, ref] of wanted.entries()) {
			if (urgency === 'migration' && position === 2) await migrationGate.promise;
			if (urgency === 'mount' && held) await mountGate.promise;
			yield alone(ref);
		}
	};
	let now = 0;
	const { server, port, client } = await scripted(t, ranges, { now: () => now });
	let copied = 0;
	const copying = (async () => {
		for await (const { stored } of client(port).fetch(refs, { class: 'migration' }))
			copied += Math.min(1, stored.length);
	})();
	await waitFor('the migration to have begun', () => copied === 2, { timeoutMs: 20_000 });
	const guest = collect(client(port).fetch(refs.slice(0, 1), { class: 'mount' }));
	await waitFor('the guest to ask', () => server.active.mount === 1, { timeoutMs: 20_000 });
	held = false;
	now = 600_000; // as long as the migration has worked by then
	migrationGate.resolve();
	await waitFor('the chunk that was being read', () => copied === 3, { timeoutMs: 20_000 });
	// Another guest is answered meanwhile: by then all of the migration could have been sent.
	await collect(client(port).fetch(refs.slice(0, 1), { class: 'mount' }));
	assert.equal(copied, 3);
	mountGate.resolve();
	await Promise.all([guest, copying]);
	assert.equal(copied, refs.length);
});

test('an answer of which nobody takes anything is ended, and who goes on later gets the rest', async t => {
	const large = refs.map(ref => ({ ...ref, storedBytes: 4 * MiB }));
	const ranges = async function* (wanted: readonly PlacedRef[]) {
		for (const ref of wanted) yield alone(ref, ref.offsetBytes);
	};
	const { server, port, client } = await scripted(t, ranges, { unmovedMs: 300 });
	const patient = new RetryingChunkSource(client(port), systemClock);
	const got: number[] = [];
	for await (const { stored } of patient.fetch(large, { class: 'migration' })) {
		if (got.length === 0) await waitFor('it to be ended', () => server.active.migration === 0, { timeoutMs: 30_000 });
		got.push(stored[0] ?? -1);
	}
	assert.ok(server.served.requests > 1);
	assert.deepEqual(got, [0, 1, 2, 3, 4, 5, 6, 7]);
});
