/** Both ends of the chunk protocol on a Unix socket, in this process, and ends that do not keep to it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { ChunkRef } from '../../model/chunk.ts';
import { RouseError } from '../../model/errors.ts';
import { RepositoryMoverClient } from '../../movers/repository-mover/client.ts';
import { type Inlet, overSocket } from '../../movers/repository-mover/connections.ts';
import { aliveFrame, RangeHeads } from '../../movers/repository-mover/protocol/answers.ts';
import { encodeClientHello, encodeServerHello } from '../../movers/repository-mover/protocol/hello.ts';
import { encodeRequest, mostRequestBytes } from '../../movers/repository-mover/protocol/requests.ts';
import { type ChunkServerOptions, ChunkServer } from '../../movers/repository-mover/serve-chunks.ts';
import { SharedRate } from '../../movers/repository-mover/shared-rate.ts';
import type { RangeSource } from '../../repository/chunk-source.ts';
import { systemClock } from '../../system/clock.ts';
import { listenOnSocket } from '../../system/unix-http.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { collect } from '../equipment/repositories.ts';

const chunkBytes = 100_000;
const refs: ChunkRef[] = Array.from({ length: 30 }, (_, number) => ({
	digest: number.toString(16).padStart(2, '0').repeat(32),
	packId: '00'.repeat(16),
	offsetBytes: number,
	storedBytes: chunkBytes,
}));
const mount = { class: 'mount' } as const;

interface Bench {
	socket: string;
	server: Server;
	client: RepositoryMoverClient;
	/** Connections that were made, and those that are open. */
	ever: () => number;
	open: () => number;
}

async function bench(t: TestContext, connected: (caller: Socket) => void): Promise<Bench> {
	const socket = join(await temporaryDirectory(t), 'chunks.sock');
	let [ever, open] = [0, 0];
	const server = createServer(caller => {
		ever += 1;
		open += 1;
		caller.once('close', () => (open -= 1));
		connected(caller);
	});
	await listenOnSocket(server, socket);
	const client = new RepositoryMoverClient(overSocket(socket));
	t.after(async () => {
		await client.close();
		server.close();
	});
	return { socket, server, client, ever: () => ever, open: () => open };
}

/** Ranges of ten chunks, in one buffer that is used again; a reference past the last of `refs` is missing. */
const ranges: RangeSource['ranges'] = async function* (wanted) {
	const slab = Buffer.alloc(10 * chunkBytes);
	for (let at = 0; at < wanted.length; at += 10) {
		const some = wanted.slice(at, at + 10);
		const there = some.filter(({ offsetBytes }) => offsetBytes < refs.length);
		for (const [n, { offsetBytes }] of there.entries()) slab.fill(offsetBytes, n * chunkBytes, (n + 1) * chunkBytes);
		const bytes = slab.subarray(0, there.length * chunkBytes);
		if (there.length > 0) yield { refs: there, lengths: there.map(() => chunkBytes), bytes };
		if (there.length < some.length) throw new RouseError('chunk_missing', 'it is not there');
	}
};

function serverOf(options: Partial<ChunkServerOptions> = {}, from = ranges): ChunkServer {
	const source = { ranges: from, fetch: () => assert.fail(), close: async () => {} };
	return new ChunkServer(async () => source, { clock: systemClock, ...options });
}

async function areWhole(client: RepositoryMoverClient, wanted = refs): Promise<void> {
	let next = 0;
	for await (const { ref, stored } of client.fetch(wanted, mount)) {
		assert.equal(ref, wanted[next]);
		assert.ok(Buffer.alloc(chunkBytes, ref.offsetBytes).equals(stored), `chunk ${next}`);
		next += 1;
	}
	assert.equal(next, wanted.length);
}

/** All that comes of a connection on which this is said. */
async function answerTo(socket: string, said: Buffer): Promise<Buffer> {
	const caller = connect(socket);
	const parts: Buffer[] = [];
	caller.on('error', () => {}).on('data', part => parts.push(part));
	caller.write(said);
	await once(caller, 'close');
	return Buffer.concat(parts);
}

test('garbage ends the connection that it comes on, and no other', async t => {
	const server = serverOf();
	const { socket, client, open } = await bench(t, server.connected);
	const fetching = client.ranges(refs, { class: 'migration' });
	await fetching.next();
	const hello = encodeClientHello({ naming: 'references', says: '' });
	assert.deepEqual(
		(await answerTo(socket, Buffer.from('GET / HTTP/1.1\r\n\r\n'))).subarray(0, 12),
		encodeServerHello(),
	);
	const refused = await answerTo(socket, Buffer.concat([hello, Buffer.alloc(4, 0xff)]));
	assert.match(refused.toString('latin1'), /"code":"protocol"/);
	await waitFor('both to be ended', () => open() === 1, { timeoutMs: 10_000 });
	let rest = 0;
	for await (const { lengths } of fetching) rest += lengths.length;
	assert.ok(rest > 0);
	await areWhole(client);
});

test('who asks for more than the next answer while one is given is ended, and is not kept in memory', async t => {
	const never = Promise.withResolvers<void>();
	const server = serverOf({}, async function* (...asked) {
		await never.promise;
		yield* ranges(...asked);
	});
	const { socket } = await bench(t, server.connected);
	const request = encodeRequest('references', refs.slice(0, 1), mount);
	const hello = encodeClientHello({ naming: 'references', says: '' });
	const said = Buffer.concat([hello, request, Buffer.alloc(mostRequestBytes + 1)]);
	assert.match((await answerTo(socket, said)).toString('latin1'), /while one is answered/);
	never.resolve();
	await waitFor('the answer to be given up', () => server.active.mount === 0, { timeoutMs: 10_000 });
});

test('who says no more and takes no more has left', async t => {
	const server = serverOf();
	const { socket } = await bench(t, server.connected);
	const caller = connect({ path: socket, allowHalfOpen: true });
	t.after(() => caller.destroy());
	const hello = encodeClientHello({ naming: 'references', says: '' });
	caller.write(Buffer.concat([hello, encodeRequest('references', refs, { class: 'migration' })]));
	await waitFor('the answer', () => server.active.migration === 1, { timeoutMs: 10_000 });
	caller.end();
	await waitFor('the end of it', () => server.active.migration === 0, { timeoutMs: 10_000 });
});

test('a mover says that it is there while a request comes, and no more when that stops in the middle', async t => {
	const ticks: (() => void)[] = [];
	const clock = { now: () => 0, delay: () => new Promise<void>(resolve => ticks.push(resolve)) };
	const { socket } = await bench(t, serverOf({ clock, aliveEveryMs: 1 }).connected);
	const tick = async () => {
		await waitFor('the next look', () => ticks.length > 0, { timeoutMs: 10_000 });
		ticks.shift()?.();
	};
	const caller = connect(socket);
	t.after(() => caller.destroy());
	let come = Buffer.alloc(0);
	caller.on('data', part => (come = Buffer.concat([come, part])));
	const comes = (what: string, bytes: number) => waitFor(what, () => come.length >= bytes, { timeoutMs: 10_000 });
	const request = encodeRequest('references', refs.slice(0, 1), mount);
	caller.write(Buffer.concat([encodeClientHello({ naming: 'references', says: '' }), request.subarray(0, 10)]));
	await comes('the hello', 12);
	await tick();
	await comes('a sign of life', 16);
	await tick();
	await tick();
	caller.write(request.subarray(10));
	await comes('the answer', 16 + 8 + chunkBytes);
	assert.deepEqual(come.subarray(12, 20), Buffer.concat([aliveFrame, Buffer.from([1, 0, 1, 0])]));
	assert.equal(come.length, 16 + 8 + chunkBytes);
});

test('another version is a clear refusal to both', async t => {
	const { client } = await bench(t, caller => {
		caller.write(encodeServerHello(7));
	});
	await assert.rejects(collect(client.fetch(refs, mount)), {
		code: 'protocol',
		message: /version 1 of the chunk protocol here, and there version 7/,
		hint: /the same version of Rouse/,
	});
	const { socket } = await bench(t, serverOf().connected);
	const hello = encodeClientHello({ naming: 'references', says: '' });
	hello.writeUInt32LE(7, 8);
	const answer = await answerTo(socket, hello);
	assert.deepEqual(answer.subarray(0, 12), encodeServerHello());
	assert.match(answer.toString('latin1'), /version 1 of the chunk protocol here, and there version 7/);
});

test('an answer that ends in the middle is `mover_unreachable`, after what came before', async t => {
	const head = new RangeHeads().encode([10, 10, 10]);
	const { client } = await bench(t, caller => {
		caller.once('data', () => caller.end(Buffer.concat([encodeServerHello(), head, Buffer.alloc(25, 'x')])));
	});
	let come = 0;
	const fetching = async () => {
		for await (const { stored } of client.fetch(refs, mount)) come += stored.length;
	};
	await assert.rejects(fetching(), { code: 'mover_unreachable' });
	assert.equal(come, 20);
});

test('a connection is kept after an answer and after an error, and not when its answer is left', async t => {
	const server = serverOf();
	const { client, ever, open } = await bench(t, server.connected);
	await areWhole(client);
	const lost = { digest: 'ee'.repeat(32), packId: 'ee'.repeat(16), offsetBytes: 99, storedBytes: 100 };
	const missing = collect(client.fetch([...refs.slice(0, 3), lost], mount));
	await assert.rejects(missing, { code: 'chunk_missing' });
	await areWhole(client);
	assert.equal(ever(), 1);
	for await (const { lengths } of client.ranges(refs, mount)) if (lengths.length > 0) break;
	await waitFor('it to be ended', () => open() === 0, { timeoutMs: 10_000 });
	assert.equal(server.active.mount, 0);
	await Promise.all([areWhole(client), areWhole(client)]);
	assert.equal(ever(), 3);
	await client.close();
	await waitFor('all to be ended', () => open() === 0, { timeoutMs: 10_000 });
});

test('a way that cannot even be tried is `mover_unreachable`', async () => {
	const client = new RepositoryMoverClient(overSocket(`/${'long'.repeat(100)}`));
	// Straight from the event loop: what happens at once comes before whatever is awaited.
	const fetching = new Promise((resolve, reject) => {
		setImmediate(() => void collect(client.fetch(refs, mount)).then(resolve, reject));
	});
	await assert.rejects(fetching, { code: 'mover_unreachable', message: /EINVAL|ENAMETOOLONG/ });
	await client.close();
});

test('an error after the last chunk is nobody’s', async t => {
	const server = serverOf({}, async function* (...asked) {
		yield* ranges(...asked);
		throw new RouseError('store_unreachable', 'gone');
	});
	const { client, ever } = await bench(t, server.connected);
	for (let turn = 0; turn < 3; turn += 1) await areWhole(client);
	assert.equal(ever(), 1);
});

test('what an idle connection says ends it, and the next request goes by another', async t => {
	const callers: Socket[] = [];
	const server = serverOf();
	const { client, ever } = await bench(t, caller => {
		callers.push(caller);
		server.connected(caller);
	});
	await areWhole(client);
	callers[0]?.write(Buffer.from([1, 0, 1, 0]));
	await waitFor('it to be ended', () => callers[0]?.closed === true, { timeoutMs: 10_000 });
	await areWhole(client);
	assert.equal(ever(), 2);
});

test('an idle connection that has ended takes no memory, though a later one is used', async t => {
	setFlagsFromString('--expose-gc');
	const collectGarbage: unknown = runInNewContext('gc');
	assert.ok(typeof collectGarbage === 'function');
	const callers: Socket[] = [];
	const server = serverOf();
	const { socket } = await bench(t, caller => {
		callers.push(caller);
		server.connected(caller);
	});
	const way = overSocket(socket);
	const opened: WeakRef<Inlet>[] = [];
	const open = (inlet: Inlet) => {
		opened.push(new WeakRef(inlet));
		return way.open(inlet);
	};
	const client = new RepositoryMoverClient({ ...way, open });
	t.after(() => client.close());
	await Promise.all([areWhole(client), areWhole(client)]);
	callers[0]?.destroy();
	const left = () => {
		collectGarbage();
		return opened.filter(inlet => inlet.deref() !== undefined).length;
	};
	await waitFor('one to be forgotten', () => left() === 1, { timeoutMs: 10_000 });
	await areWhole(client);
	assert.equal(opened.length, 2);
});

test('a fetch that is aborted at any time after its connection was there ends', async t => {
	const server = serverOf({}, async function* (...asked) {
		await new Promise(() => {});
		yield* ranges(...asked);
	});
	const { socket } = await bench(t, server.connected);
	const way = overSocket(socket);
	for (let turns = 0; turns < 20; turns += 1) {
		const abort = new AbortController();
		const later = async () => {
			for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
			abort.abort(new Error('enough'));
		};
		const open = async (inlet: Inlet) => {
			const opened = await way.open(inlet);
			void later();
			return opened;
		};
		const client = new RepositoryMoverClient({ ...way, open });
		t.after(() => client.close());
		await assert.rejects(collect(client.fetch(refs, { ...mount, signal: abort.signal })), { message: 'enough' });
	}
});

test('a fetch that is aborted while it waits ends with that reason, and its connection with it', async t => {
	const server = serverOf({}, async function* (wanted, options) {
		const { signal } = options;
		await new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
		yield* ranges(wanted, options);
	});
	const { client, open } = await bench(t, server.connected);
	const abort = new AbortController();
	const fetching = collect(client.fetch(refs, { ...mount, signal: abort.signal }));
	await waitFor('the request', () => server.active.mount === 1, { timeoutMs: 10_000 });
	abort.abort(new Error('enough'));
	await assert.rejects(fetching, { message: 'enough' });
	await waitFor('the mover to stop', () => server.active.mount === 0 && open() === 0, { timeoutMs: 10_000 });
});

/** Bytes of the ranges in an answer that has nothing else. */
function rangesIn(answer: Buffer): number[] {
	const sizes: number[] = [];
	for (let at = encodeServerHello().length; at < answer.length; ) {
		const count = answer.readUInt16LE(at + 2);
		const lengths = Array.from({ length: count }, (_, n) => answer.readUInt32LE(at + 4 + 4 * n));
		const bytes = lengths.reduce((sum, length) => sum + length, 0);
		sizes.push(bytes);
		at += 4 + 4 * count + bytes;
	}
	return sizes;
}

test('ranges are as long as they were read, but short ones of a copy under a limit', async t => {
	const rate = new SharedRate(systemClock);
	const { socket } = await bench(t, serverOf({ rate }).connected);
	const sizesOf = async (urgency: 'mount' | 'migration') => {
		const hello = encodeClientHello({ naming: 'references', says: '' });
		const caller = connect(socket);
		const parts: Buffer[] = [];
		caller.on('data', part => parts.push(part));
		caller.write(Buffer.concat([hello, encodeRequest('references', refs, { class: urgency })]));
		const whole = () => parts.reduce((sum, { length }) => sum + length, 0) > refs.length * chunkBytes + 12 * 4;
		await waitFor('the answer', whole, { timeoutMs: 10_000 });
		caller.destroy();
		return rangesIn(Buffer.concat(parts));
	};
	const long = [10, 10, 10].map(chunks => chunks * chunkBytes);
	assert.deepEqual(await sizesOf('migration'), long);
	rate.setRate(1024 ** 3);
	assert.deepEqual(await sizesOf('mount'), long);
	assert.deepEqual(
		await sizesOf('migration'),
		Array.from({ length: 15 }, () => 2 * chunkBytes),
	);
});
