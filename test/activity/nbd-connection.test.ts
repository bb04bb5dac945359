import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { NbdExports } from '../../nbd/server/export.ts';
import { NBD_CMD } from '../../nbd/protocol/constants.ts';
import { serveNbd } from '../../nbd/server/server.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { MemoryExport } from '../equipment/memory-export.ts';
import * as client from '../equipment/nbd-client.ts';
import { noise } from '../equipment/repositories.ts';

const KiB = 1024;
const content = noise(1024 * KiB, 5);
/** Greeting, acknowledgement of EXPORT_NAME without zeroes. */
const simpleHandshakeBytes = 18 + 10;

async function serving(t: TestContext, slow = { from: 0, to: 0 }) {
	const disk = new MemoryExport('disk0', content, slow);
	const socketPath = join(await temporaryDirectory(t), 'nbd.sock');
	const server = await serveNbd(socketPath, new NbdExports([disk]));
	t.after(() => server.close());
	return { disk, server, socketPath };
}

/** A client with simple replies that reads nothing until it is told to. */
function connected(t: TestContext, socketPath: string): Socket {
	const socket = connect(socketPath);
	t.after(() => socket.destroy());
	socket.on('error', () => {});
	socket.pause();
	socket.write(Buffer.concat([client.clientFlags(), client.option(1, 'disk0')]));
	return socket;
}

async function received(socket: Socket, bytes: number): Promise<Buffer> {
	const parts: Buffer[] = [];
	let size = 0;
	socket.on('data', (part: Buffer) => {
		parts.push(part);
		size += part.length;
	});
	socket.resume();
	await waitFor(`${bytes} bytes`, () => size >= bytes, { timeoutMs: 20_000, everyMs: 5 });
	return Buffer.concat(parts);
}

test('`serveNbd`: replies that a client leaves unread are neither lost nor overwritten by later ones', async t => {
	const { socketPath } = await serving(t);
	const socket = connected(t, socketPath);
	const count = 3000;
	const offsetOf = (n: number) => (n * 7919 * 16) % (content.length - 4096);
	for (let n = 0; n < count; n += 1) {
		socket.write(client.request({ type: NBD_CMD.READ, offset: offsetOf(n), length: 4096, cookie: BigInt(n) }));
		// A few at a time: what is unsent then grows in parts that would fit into one slab again.
		if (n % 10 === 9) await new Promise(resolve => setImmediate(resolve));
	}
	const all = await received(socket, simpleHandshakeBytes + count * (16 + 4096));
	for (let n = 0; n < count; n += 1) {
		const at = simpleHandshakeBytes + n * (16 + 4096);
		assert.equal(all.readBigUInt64BE(at + 8), BigInt(n));
		const offset = offsetOf(n);
		assert.equal(content.compare(all, at + 16, at + 16 + 4096, offset, offset + 4096), 0, `reply ${n}`);
	}
});

test('`serveNbd`: of a client that reads nothing no more requests are taken than its replies may hold', async t => {
	const { socketPath, disk } = await serving(t, { from: 0, to: content.length });
	const socket = connected(t, socketPath);
	for (let n = 0; n < 5000; n += 1)
		socket.write(client.request({ type: NBD_CMD.READ, offset: 0, length: 64 * KiB, cookie: BigInt(n) }));
	await waitFor('as many as are taken', () => disk.held.length === 1024, { timeoutMs: 20_000 });
	for (let n = 0; n < 200; n += 1) disk.answer();
	await new Promise(resolve => setImmediate(resolve));
	// 200 x 64 KiB are more than may be unsent: none of the requests that wait in the socket were taken for them.
	assert.equal(disk.held.length, 1024 - 200);
});

test('`serveNbd`: reads that waited are answered in one go with those of the same moment', async t => {
	const { socketPath, disk } = await serving(t, { from: 0, to: 64 * KiB });
	const socket = connected(t, socketPath);
	for (const cookie of [1n, 2n, 3n]) socket.write(client.request({ type: NBD_CMD.READ, length: 512, cookie }));
	await waitFor('three to wait', () => disk.held.length === 3, { timeoutMs: 5_000 });
	for (let n = 0; n < 3; n += 1) disk.answer();
	const all = await received(socket, simpleHandshakeBytes + 3 * 528);
	assert.deepEqual(
		[0, 1, 2].map(n => all.readBigUInt64BE(simpleHandshakeBytes + n * 528 + 8)),
		[1n, 2n, 3n],
	);
});

test('`NbdServer.close` ends connections whose reads wait', async t => {
	const { socketPath, server, disk } = await serving(t, { from: 0, to: 64 * KiB });
	const socket = connected(t, socketPath);
	socket.write(client.request({ type: NBD_CMD.READ, length: 512 }));
	await waitFor('one to wait', () => disk.held.length === 1, { timeoutMs: 5_000 });
	const [held] = disk.held;
	await server.close();
	assert.ok(held?.cancelled);
	assert.equal(server.connections, 0);
});
