import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { PassThrough } from 'node:stream';
import { suite, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { RouseError } from '../../model/errors.ts';
import { Answers, type Waiting } from '../../sources/ssh/agent/answers.ts';
import {
	type AnswerHeader,
	decodeAnswer,
	deviceError,
	digestCount,
	encodeRequest,
	greeting,
} from '../../sources/ssh/agent/protocol.ts';
import { Requests } from '../../sources/ssh/agent/requests.ts';

function answer(number: number, status: number, body = Buffer.alloc(0)): Buffer {
	const header = Buffer.alloc(9);
	header.writeUInt32BE(number, 0);
	header.writeUInt8(status, 4);
	header.writeUInt32BE(body.length, 5);
	return Buffer.concat([header, body]);
}

interface Got {
	header: AnswerHeader;
	body: Buffer;
}

/** What comes of these bytes, in pieces of this size. */
function taken(bytes: Buffer, pieceBytes: number, waiting: Partial<Waiting>[]): Got[] {
	const got: Got[] = [];
	const queue = waiting.map((one, index) => ({
		number: index + 1,
		into: undefined,
		hasLeft: false,
		answered: (header: AnswerHeader, body: Buffer) => void got.push({ header, body: Buffer.from(body) }),
		...one,
	}));
	const answers = new Answers(() => queue.shift());
	for (let at = 0; at < bytes.length; at += pieceBytes) answers.add(bytes.subarray(at, at + pieceBytes));
	return got;
}

/** Of Python's library, what Debian's python3-minimal has with it. */
const least = ['errno', 'hashlib', 'os', 'signal', 'struct'];

suite('the agent of a machine that is read over SSH', () => {
	test('requests are headers of 27 bytes, and a path behind the one that opens it', () => {
		const opening = encodeRequest(7, { op: 'open', handle: 2, path: '/dev/sda' });
		assert.equal(opening.toString('hex'), `01000000070002${'0'.repeat(16)}00000008${'0'.repeat(16)}2f6465762f736461`);
		const digests = {
			op: 'digests',
			handle: 1,
			offsetBytes: 2 ** 40,
			lengthBytes: 300,
			firstBytes: 44,
			unitBytes: 128,
		} as const;
		assert.equal(encodeRequest(8, digests).toString('hex'), '0300000008000100000100000000000000012c0000002c00000080');
		assert.equal(digestCount(digests), 3);
		assert.equal(digestCount({ ...digests, firstBytes: 500 }), 1);
	});

	test('answers are taken in pieces of any size, behind whatever a shell says first', () => {
		const bytes = Buffer.concat([
			Buffer.from(`Welcome!\n${greeting}`),
			answer(1, 0, Buffer.from('hello')),
			answer(2, 1),
			answer(3, 2, Buffer.from([0, 0, 0, 5, 0x45])),
		]);
		for (const pieceBytes of [1, 2, 3, 7, 1000]) {
			const into = Buffer.alloc(5);
			const got = taken(bytes, pieceBytes, [{ into }, { into: Buffer.alloc(9) }, {}]);
			assert.deepEqual(
				got.map(({ header }) => header.status),
				['data', 'zeros', 'failed'],
			);
			assert.equal(into.toString(), 'hello');
			assert.equal(got[2]?.body.length, 5);
		}
	});

	test('who has left keeps its buffer as it is', () => {
		const into = Buffer.alloc(5, 1);
		taken(Buffer.concat([Buffer.from(greeting), answer(1, 0, Buffer.from('hello'))]), 4, [{ into, hasLeft: true }]);
		assert.deepEqual(into, Buffer.alloc(5, 1));
	});

	test('who waits for its turn leaves when it is told to, and the next one has it', async () => {
		const stdin = new PassThrough();
		const requests = new Requests(stdin);
		const asked = Array.from({ length: 8 }, () => requests.ask({ op: 'ping' }, undefined));
		const leave = new AbortController();
		const ninth = requests.ask({ op: 'ping' }, leave.signal);
		const tenth = requests.ask({ op: 'ping' }, undefined);
		const reason = new Error('enough');
		leave.abort(reason);
		await assert.rejects(ninth, reason);
		requests.next()?.answered({ number: 1, status: 'data', bodyBytes: 0 }, Buffer.alloc(0));
		await asked[0];
		await setImmediate();
		assert.equal(stdin.readableLength, 9 * 27);
		requests.fail(new RouseError('source_unreachable', 'the connection was closed'));
		const ends = await Promise.allSettled([...asked, tenth]);
		assert.equal(ends.filter(({ status }) => status === 'rejected').length, 8);
	});

	test('what no agent says is refused: another number, another status, too much, no greeting', () => {
		const refused = { code: 'protocol' };
		const of = (...pieces: Buffer[]) => Buffer.concat([Buffer.from(greeting), ...pieces]);
		assert.throws(() => taken(of(answer(2, 0)), 100, [{}]), refused);
		assert.throws(() => taken(of(answer(1, 0), answer(2, 0)), 100, [{}]), refused);
		assert.throws(() => taken(Buffer.alloc(100_000, 'x'), 1000, []), refused);
		assert.throws(() => decodeAnswer(Buffer.from('000000010300000000', 'hex')), refused);
		assert.throws(() => decodeAnswer(Buffer.from('000000010000ffffff', 'hex').fill(0xff, 5)), refused);
	});

	test('no more of Python is needed than the least that is installed', async () => {
		const agent = await readFile(new URL('../../sources/ssh/agent/agent.py', import.meta.url), 'utf8');
		const imports = [...agent.matchAll(/^\s*(?:import|from) (\w+)/gm)].map(([, name]) => name);
		assert.deepEqual(imports, least);
	});

	test('an error there says which device it was, and nothing that a terminal would obey', () => {
		const error = deviceError('/dev/sda', Buffer.concat([Buffer.from([0, 0, 0, 5]), Buffer.from('I/O\u001b[2J')]));
		assert.equal(error.code, 'source_invalid');
		assert.equal(error.message, '/dev/sda cannot be read: I/O?[2J');
	});
});
