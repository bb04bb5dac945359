import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { NBD_CMD, NBD_CMD_FLAG, NBD_ERROR, NBD_REPLY_TYPE } from '../../nbd/protocol/constants.ts';
import { NbdExports } from '../../nbd/server/export.ts';
import { NbdServerSession } from '../../nbd/server/session.ts';
import { MemoryExport } from '../equipment/memory-export.ts';
import * as client from '../equipment/nbd-client.ts';
import { WritableMemoryExport } from '../equipment/writable-memory-export.ts';

const KiB = 1024;

function transmitting<T extends MemoryExport>(disk: T) {
	let ready = 0;
	const session = new NbdServerSession(new NbdExports([disk]), () => (ready += 1));
	session.push(client.hello());
	const handshake = client.said(session);
	const replies = () => client.chunks(client.said(session));
	return { disk, session, handshake, replies, ready: () => ready };
}

const writable = () => transmitting(new WritableMemoryExport('disk0', Buffer.alloc(256 * KiB, 'before '), 64 * KiB));

function write(offset: number, bytes: Buffer, more: Partial<client.RequestFields> = {}): Buffer {
	return Buffer.concat([client.request({ type: NBD_CMD.WRITE, offset, length: bytes.length, ...more }), bytes]);
}

/** "Transmission flags": the end of NBD_REP_INFO, before the last NBD_REP_ACK. */
function flagsIn(handshake: Buffer): number {
	return handshake.readUInt16BE(handshake.length - 20 - 2);
}

describe('`NbdServerSession` of an export with a writer', () => {
	test('offers FUA and flush, neither TRIM nor WRITE_ZEROES, and is not read-only', () => {
		assert.equal(flagsIn(writable().handshake).toString(2), '10110001101');
		const readOnly = transmitting(new MemoryExport('disk0', Buffer.alloc(4 * KiB)));
		assert.equal(flagsIn(readOnly.handshake).toString(2), '10110000111');
	});

	test('puts a write together that comes in pieces, and understands the next request', () => {
		const { session, disk, replies } = writable();
		const bytes = Buffer.alloc(100 * KiB, 'written ');
		const input = Buffer.concat([write(80 * KiB, bytes, { cookie: 1n }), client.request({ type: 0, length: 512 })]);
		for (let at = 0; at < input.length; at += 30_001) session.push(input.subarray(at, at + 30_001));
		assert.deepEqual(
			replies().map(({ cookie, type }) => ({ cookie, type })),
			[
				{ cookie: 1n, type: NBD_REPLY_TYPE.NONE },
				{ cookie: 1n, type: NBD_REPLY_TYPE.OFFSET_DATA },
			],
		);
		assert.deepEqual(disk.calls, [`write ${100 * KiB} at ${80 * KiB}`]);
		assert.deepEqual(disk.bytes.subarray(80 * KiB, 180 * KiB), bytes);
		assert.deepEqual(disk.bytes.subarray(0, 80 * KiB), Buffer.alloc(80 * KiB, 'before '));
	});

	test('hands FUA and flushes on, and answers when they are done', () => {
		const { session, disk, replies, ready } = writable();
		disk.heldWrites = [];
		session.push(write(64 * KiB, Buffer.alloc(512), { flags: NBD_CMD_FLAG.FUA, cookie: 1n }));
		session.push(client.request({ type: NBD_CMD.FLUSH, cookie: 2n }));
		assert.deepEqual(disk.calls, [`write 512 at ${64 * KiB}, durable`, 'flush']);
		assert.deepEqual(replies(), []);
		disk.heldWrites.pop()?.();
		disk.heldWrites.pop()?.({ errno: NBD_ERROR.EIO, message: 'the medium is gone' });
		assert.equal(ready(), 2);
		const [flush, failed] = replies();
		assert.deepEqual([flush?.cookie, client.errnoOf(flush)], [2n, 0]);
		assert.deepEqual([failed?.cookie, client.errnoOf(failed)], [1n, NBD_ERROR.EIO]);
	});

	test('ends after a disconnect only when its writes are answered', () => {
		const { session, disk, replies } = writable();
		disk.heldWrites = [];
		session.push(Buffer.concat([write(64 * KiB, Buffer.alloc(512)), client.request({ type: NBD_CMD.DISC })]));
		assert.ok(!session.over);
		disk.heldWrites.pop()?.();
		assert.ok(session.over);
		assert.equal(replies().length, 1);
	});

	test('says nothing of a write that ends after its client is gone', () => {
		const { session, disk, ready } = writable();
		disk.heldWrites = [];
		session.push(write(64 * KiB, Buffer.alloc(512)));
		session.close();
		disk.heldWrites.pop()?.();
		assert.equal(ready(), 0);
	});

	test('takes no more writes than may be under way', () => {
		const { session, disk } = writable();
		disk.heldWrites = [];
		for (let sent = 0; sent < 515; sent += 1) session.push(write(64 * KiB, Buffer.alloc(128 * KiB)));
		assert.equal(disk.heldWrites.length, 512);
		assert.ok(session.full);
	});
});

describe('`writeRefused` of an export', () => {
	test('is told of what its writer refuses with EPERM, and of nothing else', () => {
		const { session, disk, replies } = writable();
		session.push(write(63 * KiB, Buffer.alloc(2 * KiB)));
		session.push(write(255 * KiB, Buffer.alloc(2 * KiB)));
		session.push(client.request({ type: NBD_CMD.TRIM, length: 512 }));
		assert.deepEqual(replies().map(client.errnoOf), [NBD_ERROR.EPERM, NBD_ERROR.ENOSPC, NBD_ERROR.EINVAL]);
		assert.deepEqual(disk.refused, [{ offset: 63 * KiB, length: 2 * KiB }]);
	});

	test('is told of every write, trim and zeroing of one without a writer', () => {
		const { session, disk, replies } = transmitting(new MemoryExport('disk0', Buffer.alloc(4 * KiB)));
		session.push(write(1 * KiB, Buffer.alloc(512)));
		session.push(client.request({ type: NBD_CMD.TRIM, offset: 2 * KiB, length: 513 }));
		session.push(client.request({ type: NBD_CMD.WRITE_ZEROES, offset: 3 * KiB, length: 514 }));
		session.push(client.request({ type: NBD_CMD.READ, offset: 4 * KiB, length: 1 }));
		assert.deepEqual(replies().map(client.errnoOf), [1, 1, 1, NBD_ERROR.EINVAL]);
		assert.deepEqual(disk.refused, [
			{ offset: 1 * KiB, length: 512 },
			{ offset: 2 * KiB, length: 513 },
			{ offset: 3 * KiB, length: 514 },
		]);
	});
});
