import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { NbdExports } from '../../nbd/server/export.ts';
import { NBD_CMD, NBD_CMD_FLAG, NBD_ERROR, NBD_REPLY_TYPE } from '../../nbd/protocol/constants.ts';
import { NbdServerSession } from '../../nbd/server/session.ts';
import { MemoryExport } from '../equipment/memory-export.ts';
import * as client from '../equipment/nbd-client.ts';

const KiB = 1024;
const bytes = Buffer.alloc(1024 * KiB + 333, 'some content ');
bytes.fill(0, 64 * KiB, 128 * KiB);
const slow = { from: 512 * KiB, to: 640 * KiB };

function transmitting(options: Parameters<typeof client.hello>[0] = {}) {
	const disk = new MemoryExport('disk0', bytes, slow);
	let ready = 0;
	const session = new NbdServerSession(new NbdExports([disk]), () => (ready += 1));
	session.push(client.hello(options));
	client.said(session);
	const ask = (...requests: client.RequestFields[]) => {
		session.push(Buffer.concat(requests.map(client.request)));
		return client.said(session);
	};
	return { disk, session, ask, ready: () => ready };
}

const read = (offset: number, length: number, more: Partial<client.RequestFields> = {}) => ({
	type: NBD_CMD.READ,
	offset,
	length,
	...more,
});

describe('`NbdServerSession` with simple replies', () => {
	test('answers a read with header and data', () => {
		const answer = transmitting({ structured: false }).ask(read(1000, 5000, { cookie: 0x1122334455667788n }));
		assert.equal(answer.subarray(0, 16).toString('hex'), '67446698000000001122334455667788');
		assert.deepEqual(answer.subarray(16), bytes.subarray(1000, 6000));
	});

	test('answers a read larger than fits into a slab whole', () => {
		const answer = transmitting({ structured: false }).ask(read(1, 500 * KiB));
		assert.deepEqual(answer.subarray(16), bytes.subarray(1, 1 + 500 * KiB));
	});

	test('answers a large read of which a part fails with an errno and no data', () => {
		const { ask, session, disk } = transmitting({ structured: false });
		ask(read(0, 600 * KiB));
		disk.answer({ errno: NBD_ERROR.EIO, message: 'the chunk is bad' });
		const answer = client.said(session);
		assert.equal(answer.length, 16);
		assert.equal(answer.readUInt32BE(4), NBD_ERROR.EIO);
	});

	test('answers a read of zeros with them', () => {
		const answer = transmitting({ structured: false }).ask(read(64 * KiB, 4096));
		assert.deepEqual(answer.subarray(16), Buffer.alloc(4096));
	});

	test('refuses a read with an errno and no data', () => {
		const answer = transmitting({ structured: false }).ask(read(bytes.length - 1, 2));
		assert.equal(answer.length, 16);
		assert.equal(answer.readUInt32BE(4), NBD_ERROR.EINVAL);
	});

	test('refuses block status', () => {
		const answer = transmitting({ structured: false }).ask({ type: NBD_CMD.BLOCK_STATUS, length: 4096 });
		assert.equal(answer.readUInt32BE(4), NBD_ERROR.EINVAL);
	});
});

describe('`NbdServerSession` with structured replies', () => {
	test('answers a read with one chunk of data, the last', () => {
		const [chunk, ...more] = client.chunks(transmitting().ask(read(1000, 5000, { cookie: 9n })));
		assert.equal(more.length, 0);
		assert.deepEqual({ ...chunk, payload: undefined }, { cookie: 9n, done: true, type: 1, payload: undefined });
		assert.equal(chunk?.payload.readBigUInt64BE(0), 1000n);
		assert.deepEqual(chunk.payload.subarray(8), bytes.subarray(1000, 6000));
	});

	test('answers a read larger than fits into a slab whole where it must not be cut', () => {
		const [chunk, ...more] = client.chunks(transmitting().ask(read(0, 500 * KiB, { flags: NBD_CMD_FLAG.DF })));
		assert.equal(more.length, 0);
		assert.deepEqual(chunk?.payload.subarray(8), bytes.subarray(0, 500 * KiB));
	});

	test('answers a read of zeros with a hole', () => {
		const [chunk] = client.chunks(transmitting().ask(read(64 * KiB, 4096)));
		assert.equal(chunk?.type, NBD_REPLY_TYPE.OFFSET_HOLE);
		assert.equal(chunk.payload.toString('hex'), '000000000001000000001000');
	});

	test('says why it refuses a read', () => {
		const [chunk] = client.chunks(transmitting().ask(read(bytes.length, 1)));
		assert.equal(client.errnoOf(chunk), NBD_ERROR.EINVAL);
		assert.match(chunk?.payload.toString('utf8', 6) ?? '', /beyond export size 1048909/);
	});

	test('refuses a write, skips its data and understands the next request', () => {
		const { session } = transmitting();
		session.push(client.request({ type: NBD_CMD.WRITE, length: 100_000, cookie: 1n }));
		session.push(Buffer.alloc(60_000, 0x25));
		session.push(Buffer.concat([Buffer.alloc(40_000, 0x25), client.request(read(0, 512, { cookie: 2n }))]));
		const [refusal, data] = client.chunks(client.said(session));
		assert.equal(client.errnoOf(refusal), NBD_ERROR.EPERM);
		assert.deepEqual({ cookie: data?.cookie, type: data?.type }, { cookie: 2n, type: NBD_REPLY_TYPE.OFFSET_DATA });
	});

	test('acknowledges a flush, and hands a cache hint to the export', () => {
		const { ask, disk } = transmitting();
		const replies = client.chunks(ask({ type: NBD_CMD.FLUSH }, { type: NBD_CMD.CACHE, offset: 4096, length: 8192 }));
		assert.deepEqual(
			replies.map(({ type, done }) => ({ type, done })),
			[
				{ type: NBD_REPLY_TYPE.NONE, done: true },
				{ type: NBD_REPLY_TYPE.NONE, done: true },
			],
		);
		assert.deepEqual(disk.hints, [{ offset: 4096, length: 8192 }]);
	});

	test('answers block status with one chunk for each context, the last one done', () => {
		const { ask } = transmitting({ queries: ['base:allocation', 'rouse:restored'] });
		const replies = client.chunks(ask({ type: NBD_CMD.BLOCK_STATUS, offset: 60 * KiB, length: 8 * KiB }));
		assert.deepEqual(
			replies.map(({ done, type, payload }) => ({ done, type, payload: payload.toString('hex') })),
			[
				{ done: false, type: 5, payload: '0000000100001000000000000000100000000003' },
				{ done: true, type: 5, payload: '000000020000200000000000' },
			],
		);
	});

	test('answers block status with REQ_ONE with one extent', () => {
		const { ask } = transmitting();
		const flags = NBD_CMD_FLAG.REQ_ONE;
		const [chunk] = client.chunks(ask({ type: NBD_CMD.BLOCK_STATUS, offset: 62 * KiB, length: 80 * KiB, flags }));
		assert.equal(chunk?.payload.toString('hex'), '000000010000080000000000');
	});
});

describe('`NbdServerSession`: reads that wait', () => {
	test('do not hold up those behind them', () => {
		const { ask, session, disk, ready } = transmitting();
		const first = client.chunks(ask(read(slow.from, 4096, { cookie: 1n }), read(0, 4096, { cookie: 2n })));
		assert.deepEqual(
			first.map(({ cookie }) => cookie),
			[2n],
		);
		disk.answer();
		assert.equal(ready(), 1);
		const [chunk] = client.chunks(client.said(session));
		assert.equal(chunk?.cookie, 1n);
		assert.deepEqual(chunk.payload.subarray(8), bytes.subarray(slow.from, slow.from + 4096));
	});

	test('that fail are answered with the errno', () => {
		const { ask, session, disk } = transmitting();
		ask(read(slow.from, 4096));
		disk.answer({ errno: NBD_ERROR.EIO, message: 'the chunk is bad' });
		assert.equal(client.errnoOf(client.chunks(client.said(session))[0]), NBD_ERROR.EIO);
	});

	test('are called off when the client goes', () => {
		const { ask, session, disk } = transmitting();
		ask(read(slow.from, 4096));
		session.close();
		assert.ok(disk.held[0]?.cancelled);
	});

	test('are answered before a disconnect ends the session', () => {
		const { ask, session, disk } = transmitting();
		ask(read(slow.from, 4096), { type: NBD_CMD.DISC }, read(0, 512, { cookie: 77n }));
		assert.ok(!session.over);
		disk.answer();
		assert.ok(session.over);
		assert.deepEqual(
			client.chunks(client.said(session)).map(({ cookie }) => cookie),
			[1n],
		);
	});

	test('end the taking of requests when they ask for too much memory', () => {
		const { ask, session, disk } = transmitting();
		const wanted = 1024;
		for (let sent = 0; sent < wanted; sent += 1) ask(read(slow.from, 128 * KiB));
		assert.equal(disk.held.length, 512);
		assert.ok(session.full);
		disk.answer();
		session.push();
		assert.equal(disk.held.length, 512);
	});
});

describe('`NbdServerSession`', () => {
	test('takes no more requests than its replies have room, and goes on when they were taken', () => {
		const { session } = transmitting();
		session.push(Buffer.concat(Array.from({ length: 100 }, () => client.request(read(0, 60 * KiB)))));
		assert.ok(session.full);
		let answered = 0;
		for (let round = 0; round < 100 && answered < 100; round += 1) {
			const replies = client.said(session);
			assert.ok(replies.length < 1200 * KiB);
			answered += client.chunks(replies).length;
			session.push();
		}
		assert.equal(answered, 100);
	});

	test('ends at a request without the magic, with what was answered before', () => {
		const { ask, session } = transmitting();
		const replies = client.chunks(ask(read(0, 512), read(0, 512, { magic: 0x12345678 }), read(0, 512)));
		assert.equal(replies.length, 1);
		assert.ok(session.over);
	});
});
