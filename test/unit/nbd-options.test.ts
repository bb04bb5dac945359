import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { NbdExports } from '../../nbd/server/export.ts';
import { NBD_CMD, NBD_ERROR, NBD_FLAG, NBD_INFO, NBD_OPT, NBD_REP } from '../../nbd/protocol/constants.ts';
import { NbdServerSession } from '../../nbd/server/session.ts';
import { MemoryExport } from '../equipment/memory-export.ts';
import * as client from '../equipment/nbd-client.ts';

const disk0 = new MemoryExport('disk0', Buffer.alloc(1024 * 1024 + 333, 1));
const disk1 = new MemoryExport('disk1', Buffer.alloc(4096, 2));
const always = NBD_FLAG.HAS_FLAGS | NBD_FLAG.READ_ONLY | NBD_FLAG.SEND_FLUSH | NBD_FLAG.CAN_MULTI_CONN;

/** A session that has had its greeting and the client's flags. */
function session(flags = 3): NbdServerSession {
	const made = new NbdServerSession(new NbdExports([disk0, disk1]), () => {});
	client.said(made);
	made.push(client.clientFlags(flags));
	return made;
}

function replyTo(to: NbdServerSession, option: number, data: Buffer | string = ''): client.OptionReply[] {
	to.push(client.option(option, data));
	return client.optionReplies(client.said(to));
}

describe('`NbdServerSession` in the handshake', () => {
	test('greets with both magics, fixed newstyle and no zeroes', () => {
		const made = new NbdServerSession(new NbdExports([disk0]), () => {});
		assert.equal(client.said(made).toString('hex'), '4e42444d4147494349484156454f50540003');
	});

	test('ends at unknown client flags', () => {
		assert.ok(session(4).over);
	});

	test('ends at an option without its magic', () => {
		const made = session();
		made.push(Buffer.alloc(16, 7));
		assert.ok(made.over);
		assert.equal(client.said(made).length, 0);
	});

	test('answers an unknown option as unsupported, and understands the next', () => {
		const made = session();
		assert.deepEqual(
			replyTo(made, 77, 'whatever').map(({ option, type }) => ({ option, type })),
			[{ option: 77, type: NBD_REP.ERR_UNSUP }],
		);
		assert.equal(replyTo(made, NBD_OPT.STARTTLS)[0]?.type, NBD_REP.ERR_UNSUP);
		assert.equal(replyTo(made, NBD_OPT.LIST).at(-1)?.type, NBD_REP.ACK);
	});

	test('throws an option of more data than can be away unread', () => {
		const made = session();
		made.push(client.option(NBD_OPT.INFO, '', 1_000_000));
		assert.equal(client.optionReplies(client.said(made))[0]?.type, NBD_REP.ERR_TOO_BIG);
		for (let sent = 0; sent < 1_000_000; sent += 50_000) made.push(Buffer.alloc(50_000, 0x55));
		assert.equal(replyTo(made, NBD_OPT.LIST).at(-1)?.type, NBD_REP.ACK);
	});

	test('acknowledges NBD_OPT_ABORT and ends', () => {
		const made = session();
		assert.equal(replyTo(made, NBD_OPT.ABORT, 'ignored')[0]?.type, NBD_REP.ACK);
		assert.ok(made.over);
	});

	test('answers NBD_OPT_LIST with every export and its description', () => {
		const replies = replyTo(session(), NBD_OPT.LIST);
		assert.deepEqual(
			replies.map(({ type }) => type),
			[NBD_REP.SERVER, NBD_REP.SERVER, NBD_REP.ACK],
		);
		assert.deepEqual(replies[1]?.data, Buffer.concat([client.text('disk1'), Buffer.from('in memory')]));
	});

	test('refuses NBD_OPT_LIST with data as invalid', () => {
		assert.equal(replyTo(session(), NBD_OPT.LIST, 'x')[0]?.type, NBD_REP.ERR_INVALID);
	});
});

describe('`NbdServerSession`: NBD_OPT_EXPORT_NAME', () => {
	test('answers with size and flags, without zeroes when both sides said so', () => {
		const made = session();
		made.push(client.option(NBD_OPT.EXPORT_NAME, 'disk0'));
		const answer = client.said(made);
		assert.equal(answer.length, 10);
		assert.equal(answer.readBigUInt64BE(0), 1024n * 1024n + 333n);
		assert.equal(answer.readUInt16BE(8), always | NBD_FLAG.SEND_CACHE);
	});

	test('adds 124 zeroes for a client that did not', () => {
		const made = session(1);
		made.push(client.option(NBD_OPT.EXPORT_NAME, ''));
		assert.equal(client.said(made).length, 134);
	});

	test('of an unknown export ends the session without a word', () => {
		const made = session();
		made.push(client.option(NBD_OPT.EXPORT_NAME, 'nothing'));
		assert.ok(made.over);
		assert.equal(client.said(made).length, 0);
	});
});

describe('`NbdServerSession`: NBD_OPT_INFO and NBD_OPT_GO', () => {
	test('say size and flags, and what was asked for', () => {
		const wanted = [NBD_INFO.NAME, NBD_INFO.DESCRIPTION, NBD_INFO.BLOCK_SIZE, 99];
		const replies = replyTo(session(), NBD_OPT.INFO, client.about('', wanted));
		assert.deepEqual(
			replies.map(({ type }) => type),
			[NBD_REP.INFO, NBD_REP.INFO, NBD_REP.INFO, NBD_REP.INFO, NBD_REP.ACK],
		);
		const [info, name, description, blockSize] = replies;
		assert.equal(info?.data.readBigUInt64BE(2), 1024n * 1024n + 333n);
		assert.equal(name?.data.toString('latin1', 2), 'disk0');
		assert.equal(description?.data.toString('latin1', 2), 'in memory');
		assert.equal(blockSize?.data.toString('hex'), '0003000000010000100002000000');
	});

	test('do not say what was not asked for', () => {
		assert.equal(replyTo(session(), NBD_OPT.INFO, client.about('disk1')).length, 2);
	});

	test('offer DF only with structured replies', () => {
		const made = session();
		const flags = () => replyTo(made, NBD_OPT.INFO, client.about('disk0'))[0]?.data.readUInt16BE(10) ?? 0;
		assert.equal(flags() & NBD_FLAG.SEND_DF, 0);
		assert.equal(replyTo(made, NBD_OPT.STRUCTURED_REPLY)[0]?.type, NBD_REP.ACK);
		assert.equal(flags() & NBD_FLAG.SEND_DF, NBD_FLAG.SEND_DF);
	});

	test('of an unknown export are refused, and the option negotiation goes on', () => {
		const made = session();
		assert.equal(replyTo(made, NBD_OPT.GO, client.about('nothing'))[0]?.type, NBD_REP.ERR_UNKNOWN);
		assert.equal(replyTo(made, NBD_OPT.GO, client.about('disk1')).at(-1)?.type, NBD_REP.ACK);
	});

	const malformed: [string, Buffer][] = [
		['no data', Buffer.alloc(0)],
		['a name longer than the data', Buffer.concat([client.uint32(200), Buffer.from('disk0')])],
		['a name over 4096 bytes', client.about('x'.repeat(5000))],
		['fewer infos than announced', Buffer.concat([client.text('disk0'), client.uint16(2), client.uint16(1)])],
		['bytes after the infos', Buffer.concat([client.about('disk0'), Buffer.from('x')])],
	];
	for (const [name, data] of malformed)
		test(`with ${name} are invalid`, () =>
			assert.equal(replyTo(session(), NBD_OPT.GO, data)[0]?.type, NBD_REP.ERR_INVALID));
});

describe('`NbdServerSession`: metadata contexts', () => {
	function structured(): NbdServerSession {
		const made = session();
		replyTo(made, NBD_OPT.STRUCTURED_REPLY);
		return made;
	}
	const names = (replies: client.OptionReply[]) =>
		replies.filter(({ type }) => type === NBD_REP.META_CONTEXT).map(({ data }) => data.toString('latin1', 4));

	test('need structured replies', () => {
		for (const option of [NBD_OPT.LIST_META_CONTEXT, NBD_OPT.SET_META_CONTEXT])
			assert.equal(replyTo(session(), option, client.contexts('disk0', []))[0]?.type, NBD_REP.ERR_INVALID);
	});

	test('are all listed without a query, and by namespace', () => {
		const list = (queries: string[]) =>
			names(replyTo(structured(), NBD_OPT.LIST_META_CONTEXT, client.contexts('disk0', queries)));
		assert.deepEqual(list([]), ['base:allocation', 'rouse:restored']);
		assert.deepEqual(list(['base:']), ['base:allocation']);
		assert.deepEqual(list(['rouse:restored', 'qemu:dirty-bitmap:x']), ['rouse:restored']);
		assert.deepEqual(list(['qemu:']), []);
	});

	test('are selected by name only, each with an id of its own', () => {
		const replies = replyTo(
			structured(),
			NBD_OPT.SET_META_CONTEXT,
			client.contexts('disk0', ['rouse:restored', 'base:', 'base:allocation', 'base:nothing']),
		);
		assert.deepEqual(names(replies), ['base:allocation', 'rouse:restored']);
		assert.notEqual(replies[0]?.data.readUInt32BE(0), replies[1]?.data.readUInt32BE(0));
		assert.equal(replies.at(-1)?.type, NBD_REP.ACK);
	});

	test('of an unknown export are an error', () => {
		const data = client.contexts('nothing', ['base:allocation']);
		assert.equal(replyTo(structured(), NBD_OPT.SET_META_CONTEXT, data)[0]?.type, NBD_REP.ERR_UNKNOWN);
	});

	test('with a query longer than the data are invalid', () => {
		const data = Buffer.concat([client.text('disk0'), client.uint32(1), client.uint32(99), Buffer.from('base:')]);
		assert.equal(replyTo(structured(), NBD_OPT.SET_META_CONTEXT, data)[0]?.type, NBD_REP.ERR_INVALID);
	});

	test('selected for one export do not count for another', () => {
		const made = structured();
		replyTo(made, NBD_OPT.SET_META_CONTEXT, client.contexts('disk1', ['base:allocation']));
		replyTo(made, NBD_OPT.GO, client.about('disk0'));
		made.push(client.request({ type: NBD_CMD.BLOCK_STATUS, length: 4096 }));
		assert.equal(client.errnoOf(client.chunks(client.said(made))[0]), NBD_ERROR.EINVAL);
	});

	for (const [name, later] of [
		['selects nothing', client.contexts('disk0', [])],
		['fails', client.contexts('nothing', ['base:allocation'])],
	] as const)
		test(`are replaced by a later selection that ${name}`, () => {
			const made = structured();
			replyTo(made, NBD_OPT.SET_META_CONTEXT, client.contexts('disk0', ['base:allocation']));
			replyTo(made, NBD_OPT.SET_META_CONTEXT, later);
			replyTo(made, NBD_OPT.GO, client.about('disk0'));
			made.push(client.request({ type: NBD_CMD.BLOCK_STATUS, length: 4096 }));
			assert.equal(client.errnoOf(client.chunks(client.said(made))[0]), NBD_ERROR.EINVAL);
		});
});
