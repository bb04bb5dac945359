import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { NBD_CMD } from '../../nbd/protocol/constants.ts';
import { NbdConnection } from '../../nbd/server/connection.ts';
import { NbdExports, type NbdFailure, type Pending } from '../../nbd/server/export.ts';
import { CountingExport } from '../equipment/counting-export.ts';
import * as client from '../equipment/nbd-client.ts';
import { noise } from '../equipment/repositories.ts';

const MiB = 1024 * 1024;

/** A socket whose client takes everything at once. */
class GreedySocket extends Socket {
	readonly taken: Buffer[] = [];
	writes = 0;

	override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
		this.accept([{ chunk }], done);
	}

	override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
		this.accept(chunks, done);
	}

	protected accept(chunks: { chunk: Buffer }[], done: () => void): void {
		this.writes += 1;
		for (const { chunk } of chunks) this.taken.push(Buffer.from(chunk));
		done();
	}
}

/** One whose client takes a write when it is told to, from when it is slow. */
class SlowSocket extends GreedySocket {
	isSlow = false;
	/** What the writes lay in. */
	readonly memory = new Set<ArrayBufferLike>();
	#held: (() => void) | undefined;

	protected override accept(chunks: { chunk: Buffer }[], done: () => void): void {
		for (const { chunk } of chunks) this.memory.add(chunk.buffer);
		const take = () => super.accept(chunks, done);
		if (this.isSlow) this.#held = take;
		else take();
	}

	/** False when there is nothing to take. */
	takeOne(): boolean {
		const held = this.#held;
		this.#held = undefined;
		held?.();
		return held !== undefined;
	}
}

function connected<S extends GreedySocket>(socket: S) {
	const disk = new CountingExport('disk0', noise(4 * MiB, 8));
	const connection = new NbdConnection(socket, new NbdExports([disk]));
	socket.emit('data', client.hello());
	socket.taken.length = 0;
	socket.writes = 0;
	const ask = (...reads: { offset: number; length: number }[]) =>
		socket.emit('data', Buffer.concat(reads.map(read => client.request({ type: NBD_CMD.READ, ...read }))));
	return { disk, socket, connection, ask };
}

test('`NbdConnection`: small reads that came together are answered in one write', () => {
	const { socket, ask } = connected(new GreedySocket());
	ask(...Array.from({ length: 16 }, (_, n) => ({ offset: n * 4096, length: 4096 })));
	assert.equal(socket.writes, 1);
	assert.equal(client.chunks(Buffer.concat(socket.taken)).length, 16);
});

test('`NbdConnection`: a large read of a client that takes it at once leaves others their turn at each MiB', async () => {
	const { disk, socket, ask } = connected(new GreedySocket());
	ask({ offset: 0, length: 4 * MiB });
	assert.equal(disk.readBytes, MiB);
	assert.equal(socket.writes, 8);
	for (let turns = 0; turns < 10; turns += 1) await turn();
	assert.equal(disk.readBytes, 4 * MiB);
	const data = client.chunks(Buffer.concat(socket.taken)).map(({ payload }) => payload.subarray(8));
	assert.ok(Buffer.concat(data).equals(disk.bytes));
});

test('`NbdConnection`: nothing is read for a client that is gone', async () => {
	const { disk, connection, ask } = connected(new GreedySocket());
	ask({ offset: 0, length: 4 * MiB });
	connection.destroy();
	for (let turns = 0; turns < 10; turns += 1) await turn();
	assert.equal(disk.readBytes, MiB);
});

test('`NbdConnection`: of a client that takes nothing no more reads are answered than it may leave, in memory that is used again', async () => {
	const { disk, socket, ask } = connected(new SlowSocket());
	socket.isSlow = true;
	socket.memory.clear();
	const length = 128 * 1024;
	ask(...Array.from({ length: 64 }, (_, n) => ({ offset: (n % 32) * length, length })));
	for (let turns = 0; turns < 20; turns += 1) await turn();
	assert.equal(disk.readBytes, MiB);
	while (socket.takeOne()) await turn();
	const data = client.chunks(Buffer.concat(socket.taken)).map(({ payload }) => payload.subarray(8));
	assert.ok(Buffer.concat(data).equals(Buffer.concat([disk.bytes, disk.bytes])));
	assert.ok(socket.memory.size < 48, `${socket.memory.size} slabs for 64 replies`);
});

/** Whose reads all come later, in memory that is to be freed. */
class LendingExport extends CountingExport {
	freed = 0;

	override readNow(): 'later' {
		return 'later';
	}

	override readLater(
		offset: number,
		length: number,
		done: (result: Buffer | NbdFailure, free?: () => void) => void,
	): Pending {
		return super.readLater(offset, length, result => done(result, () => (this.freed += 1)));
	}
}

test('`NbdConnection` frees what a reply lay in when that has left, though others have not', async () => {
	const disk = new LendingExport('disk0', noise(MiB, 8));
	const socket = new SlowSocket();
	const connection = new NbdConnection(socket, new NbdExports([disk]));
	socket.emit('data', client.hello());
	socket.isSlow = true;
	for (const offset of [0, MiB / 2]) {
		socket.emit('data', client.request({ type: NBD_CMD.READ, offset, length: MiB / 8 }));
		await turn();
	}
	assert.equal(disk.freed, 0);
	assert.ok(socket.takeOne());
	await turn();
	assert.ok(socket.writableLength > 0);
	assert.equal(disk.freed, 1);
	connection.destroy();
});
