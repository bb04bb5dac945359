import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { NbdClientSession } from '../../nbd/client/session.ts';
import {
	initMagic,
	NBD_REP,
	NBD_REPLY_TYPE as type,
	optionMagic,
	optionReplyMagic,
} from '../../nbd/protocol/constants.ts';

const contextId = 7;
const sizeBytes = 1_000_000;

/** What a server says to open an export, with or without structured replies. */
function serverOpening({ structured = true } = {}): Buffer[] {
	const greeting = Buffer.alloc(18);
	greeting.writeBigUInt64BE(initMagic, 0);
	greeting.writeBigUInt64BE(optionMagic, 8);
	greeting.writeUInt16BE(3, 16);
	const exportInfo = Buffer.alloc(12);
	exportInfo.writeBigUInt64BE(BigInt(sizeBytes), 2);
	const context = Buffer.concat([uint32(contextId), Buffer.from('base:allocation')]);
	return [
		greeting,
		...(structured
			? [optionReply(8, NBD_REP.ACK), optionReply(10, NBD_REP.META_CONTEXT, context), optionReply(10, NBD_REP.ACK)]
			: [optionReply(8, NBD_REP.ERR_UNSUP)]),
		optionReply(7, NBD_REP.INFO, exportInfo),
		optionReply(7, NBD_REP.ACK),
	];
}

function optionReply(option: number, reply: number, data = Buffer.alloc(0)): Buffer {
	const header = Buffer.alloc(20);
	header.writeBigUInt64BE(optionReplyMagic, 0);
	header.writeUInt32BE(option, 8);
	header.writeUInt32BE(reply, 12);
	header.writeUInt32BE(data.length, 16);
	return Buffer.concat([header, data]);
}

function chunk(cookie: number, kind: number, done: boolean, ...payload: Buffer[]): Buffer {
	const data = Buffer.concat(payload);
	const header = Buffer.alloc(20);
	header.writeUInt32BE(0x668e33ef, 0);
	header.writeUInt16BE(done ? 1 : 0, 4);
	header.writeUInt16BE(kind, 6);
	header.writeBigUInt64BE(BigInt(cookie), 8);
	header.writeUInt32BE(data.length, 16);
	return Buffer.concat([header, data]);
}

function simple(cookie: number, errno: number, data = Buffer.alloc(0)): Buffer {
	const header = Buffer.alloc(16);
	header.writeUInt32BE(0x67446698, 0);
	header.writeUInt32BE(errno, 4);
	header.writeBigUInt64BE(BigInt(cookie), 8);
	return Buffer.concat([header, data]);
}

function uint32(...values: number[]): Buffer {
	const bytes = Buffer.alloc(4 * values.length);
	for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, 4 * index);
	return bytes;
}

function uint64(value: number): Buffer {
	const bytes = Buffer.alloc(8);
	bytes.writeBigUInt64BE(BigInt(value));
	return bytes;
}

function opened(options: { structured?: boolean } = {}): NbdClientSession {
	const session = new NbdClientSession({ exportName: 'disk0', context: 'base:allocation' }, () => {});
	for (const bytes of serverOpening(options)) session.push(bytes);
	return session;
}

test('`NbdClientSession.push` understands the answers however the network cuts them up', async () => {
	const conversation = Buffer.concat([
		...serverOpening(),
		// In the wrong order, and in between the answer to something else.
		chunk(1, type.OFFSET_DATA, false, uint64(104), Buffer.from('efgh')),
		chunk(2, type.BLOCK_STATUS, true, uint32(contextId, 4096, 0, 0xffff_f000, 3)),
		chunk(1, type.OFFSET_HOLE, false, uint64(108), uint32(4)),
		chunk(1, type.OFFSET_DATA, true, uint64(100), Buffer.from('abcd')),
	]);
	await fc.assert(
		fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 }), async cuts => {
			const session = new NbdClientSession({ exportName: 'disk0', context: 'base:allocation' }, () => {});
			const into = Buffer.alloc(12, 0xff);
			const read = session.read(100, into);
			const status = session.blockStatus(0, 4096);
			for (let at = 0, turn = 0; at < conversation.length; turn++) {
				const length = cuts[turn % cuts.length] ?? 1;
				session.push(conversation.subarray(at, at + length));
				at += length;
			}
			assert.equal(await read, undefined);
			assert.equal(into.toString('latin1'), 'abcdefgh\0\0\0\0');
			// 0xfffff000 is more than a signed number of 32 bits holds.
			assert.deepEqual(await status, [
				{ lengthBytes: 4096, flags: 0 },
				{ lengthBytes: 0xffff_f000, flags: 3 },
			]);
			assert.equal((await session.opened).contextId, contextId);
		}),
		{ numRuns: 50 },
	);
});

test('`NbdClientSession.read` from a server without structured replies takes simple ones', async () => {
	const session = opened({ structured: false });
	const into = Buffer.alloc(4);
	const good = session.read(0, into);
	const bad = session.read(4, Buffer.alloc(4));
	session.push(simple(2, 5));
	session.push(simple(1, 0, Buffer.from('abcd')));
	assert.deepEqual([await good, into.toString()], [undefined, 'abcd']);
	assert.deepEqual(await bad, { errno: 5, message: '' });
	assert.equal((await session.opened).contextId, undefined);
});

test('`NbdClientSession.read` gives errno and message of an error chunk, and the session goes on', async () => {
	const session = opened();
	const refused = session.read(0, Buffer.alloc(4));
	const next = session.read(4, Buffer.alloc(4));
	session.push(chunk(1, 0x8002, true, uint32(28), Buffer.from([0, 2]), Buffer.from('no'), uint64(2)));
	session.push(chunk(2, type.OFFSET_HOLE, true, uint64(4), uint32(4)));
	assert.deepEqual(await refused, { errno: 28, message: 'no' });
	assert.equal(await next, undefined);
});

test('`NbdClientSession.read` reads a second error chunk to its end, and gives the first', async () => {
	const session = opened();
	const refused = session.read(0, Buffer.alloc(4));
	const next = session.read(4, Buffer.alloc(4));
	session.push(chunk(1, 0x8002, false, uint32(28), Buffer.from([0, 2]), Buffer.from('no'), uint64(2)));
	session.push(chunk(1, 0x8001, true, uint32(5), Buffer.from([0, 5]), Buffer.from('never')));
	session.push(chunk(2, type.OFFSET_HOLE, true, uint64(4), uint32(4)));
	assert.deepEqual(await refused, { errno: 28, message: 'no' });
	assert.equal(await next, undefined);
});

const violations: Record<string, Buffer> = {
	'a byte sent twice': Buffer.concat([
		chunk(1, type.OFFSET_DATA, false, uint64(100), Buffer.from('ab')),
		chunk(1, type.OFFSET_DATA, false, uint64(101), Buffer.from('bc')),
	]),
	'a byte never sent': chunk(1, type.OFFSET_DATA, true, uint64(100), Buffer.from('abc')),
	'data before the range': chunk(1, type.OFFSET_HOLE, true, uint64(99), uint32(4)),
	'data past the range': chunk(1, type.OFFSET_DATA, true, uint64(101), Buffer.from('abcd')),
	'a hole past the range': chunk(1, type.OFFSET_HOLE, true, uint64(100), uint32(0xffff_ffff)),
	'an answer to nothing': chunk(9, type.NONE, true),
	'an answer after the last': Buffer.concat([
		chunk(1, type.OFFSET_HOLE, true, uint64(100), uint32(4)),
		chunk(1, type.OFFSET_HOLE, true, uint64(100), uint32(4)),
	]),
	'a simple reply with data': simple(1, 0, Buffer.from('abcd')),
	'a block status for a read': chunk(1, type.BLOCK_STATUS, true, uint32(contextId, 4096, 0)),
	'data for a block status': chunk(2, type.OFFSET_DATA, true, uint64(100), Buffer.from('abcd')),
	'another context': chunk(2, type.BLOCK_STATUS, true, uint32(contextId + 1, 4096, 0)),
	'an extent of nothing': chunk(2, type.BLOCK_STATUS, true, uint32(contextId, 0, 0)),
	'half an extent': chunk(2, type.BLOCK_STATUS, true, uint32(contextId, 4096)),
	'a chunk of an unknown type': chunk(1, 99, true),
	'an empty chunk that ends nothing': chunk(1, type.NONE, false),
	'an error of zero': chunk(1, 0x8001, true, uint32(0), Buffer.from([0, 0])),
	'an error message longer than its chunk': chunk(1, 0x8001, true, uint32(5), Buffer.from([1, 0])),
	'a reply of another magic': uint32(0x12345678),
};

for (const [what, bytes] of Object.entries(violations))
	test(`\`NbdClientSession\`: ${what} is a violation that ends every call`, async () => {
		const session = opened();
		const read = session.read(100, Buffer.alloc(4));
		const status = session.blockStatus(0, 4096);
		const settled = Promise.allSettled([read, status]);
		session.push(bytes);
		await settled;
		await assert.rejects(status, { code: 'protocol' });
		await assert.rejects(session.read(0, Buffer.alloc(4)), { code: 'protocol' });
	});

test('`NbdClientSession.fail` fails every waiting call and those to come', async () => {
	const session = opened();
	const waiting = [session.read(0, Buffer.alloc(4)), session.read(4, Buffer.alloc(4))];
	const lost = new Error('lost');
	session.fail(lost);
	session.fail(new Error('a later one does not count'));
	for (const outcome of await Promise.allSettled(waiting))
		assert.deepEqual(outcome, { status: 'rejected', reason: lost });
	await assert.rejects(session.read(0, Buffer.alloc(4)), lost);
});

const greetings: [string, Buffer, RegExp][] = [
	['a web server', Buffer.from('HTTP/1.1 400 Bad Request'), /is this an NBD server/],
	[
		'an oldstyle server',
		Buffer.concat([Buffer.from('NBDMAGIC'), Buffer.from('00004202818612530000', 'hex')]),
		/oldstyle/,
	],
];
for (const [what, greeting, message] of greetings)
	test(`\`NbdClientSession.opened\` names ${what} as what it is`, async () => {
		const session = new NbdClientSession({ exportName: '', context: 'base:allocation' }, () => {});
		session.push(greeting);
		await assert.rejects(session.opened, { code: 'protocol', message });
	});

test('`NbdClientSession.opened` of an unknown export is `source_invalid`, with its name', async () => {
	const session = new NbdClientSession({ exportName: 'web', context: 'base:allocation' }, () => {});
	const [greeting, structured] = serverOpening();
	for (const bytes of [greeting, structured, optionReply(10, NBD_REP.ERR_UNKNOWN, Buffer.from('try "db"'))])
		session.push(bytes ?? Buffer.alloc(0));
	await assert.rejects(session.opened, { code: 'source_invalid', message: /no export "web": try "db"/ });
});

test('`NbdClientSession.opened` has the context that was asked for, and none that was not', async () => {
	const dirty = 'qemu:dirty-bitmap:backup-vda';
	for (const [named, found] of [
		[dirty, contextId],
		['base:allocation', undefined],
	] as const) {
		const sent: Buffer[] = [];
		const send = (bytes: Uint8Array) => void sent.push(Buffer.from(bytes));
		const session = new NbdClientSession({ exportName: 'vda', context: dirty }, send);
		const opening = serverOpening();
		opening[2] = optionReply(10, NBD_REP.META_CONTEXT, Buffer.concat([uint32(contextId), Buffer.from(named)]));
		for (const bytes of opening) session.push(bytes);
		assert.equal((await session.opened).contextId, found);
		assert.ok(Buffer.concat(sent).includes(dirty));
	}
});

test('`NbdClientSession.opened` by name when the server has no NBD_OPT_GO', async () => {
	const sent: Buffer[] = [];
	const send = (bytes: Uint8Array) => void sent.push(Buffer.from(bytes));
	const session = new NbdClientSession({ exportName: 'web', context: 'base:allocation' }, send);
	const [greeting = Buffer.alloc(0)] = serverOpening();
	for (const bytes of [greeting, optionReply(8, NBD_REP.ERR_UNSUP), optionReply(7, NBD_REP.ERR_UNSUP)])
		session.push(bytes);
	assert.equal(sent.at(-1)?.toString('latin1'), 'IHAVEOPT\0\0\0\x01\0\0\0\x03web');
	session.push(Buffer.concat([uint64(sizeBytes), Buffer.from([0, 3])]));
	assert.deepEqual(await session.opened, {
		sizeBytes,
		structuredReplies: false,
		contextId: undefined,
		minimumBlockBytes: 1,
		maximumPayloadBytes: 2 ** 25,
	});
});
