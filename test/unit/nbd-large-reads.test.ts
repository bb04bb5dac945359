import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { NBD_CMD, NBD_ERROR, NBD_REPLY_TYPE } from '../../nbd/protocol/constants.ts';
import { NbdExports } from '../../nbd/server/export.ts';
import { NbdServerSession } from '../../nbd/server/session.ts';
import { MemoryExport } from '../equipment/memory-export.ts';
import * as client from '../equipment/nbd-client.ts';
import { noise } from '../equipment/repositories.ts';

const KiB = 1024;
const piece = 128 * KiB;
const bytes = noise(16 * piece + 333, 6);
bytes.fill(0, 4 * piece, 6 * piece);
/** Reads of it wait. */
const slow = { from: 9 * piece + 1000, to: 9 * piece + 2000 };

function transmitting() {
	const disk = new MemoryExport('disk0', bytes, slow);
	const session = new NbdServerSession(new NbdExports([disk]), () => {});
	session.push(client.hello());
	client.said(session);
	const ask = (...reads: { offset: number; length: number; cookie?: bigint }[]) =>
		session.push(Buffer.concat(reads.map(read => client.request({ type: NBD_CMD.READ, ...read }))));
	return { disk, session, ask, said: () => client.chunks(client.said(session)) };
}

/** Where a chunk of data or of zeros lies, in bytes. */
function spanOf({ type, payload }: client.Chunk): { offset: number; length: number } {
	const offset = Number(payload.readBigUInt64BE(0));
	return { offset, length: type === NBD_REPLY_TYPE.OFFSET_HOLE ? payload.readUInt32BE(8) : payload.length - 8 };
}

function isRight(chunk: client.Chunk): boolean {
	const { offset, length } = spanOf(chunk);
	const expected = bytes.subarray(offset, offset + length);
	return chunk.type === NBD_REPLY_TYPE.OFFSET_HOLE
		? expected.every(byte => byte === 0)
		: chunk.payload.subarray(8).equals(expected);
}

test('`NbdServerSession`: a large read is answered in pieces that end with chunks, the last one done', () => {
	const { ask, said } = transmitting();
	ask({ offset: piece - 10, length: 2 * piece + 20 });
	const chunks = said();
	assert.deepEqual(chunks.map(spanOf), [
		{ offset: piece - 10, length: 10 },
		{ offset: piece, length: piece },
		{ offset: 2 * piece, length: piece },
		{ offset: 3 * piece, length: 10 },
	]);
	assert.deepEqual(
		chunks.map(({ done }) => done),
		[false, false, false, true],
	);
	assert.ok(chunks.every(isRight));
});

test('`NbdServerSession`: pieces of a large read that are zero are holes, also the last', () => {
	const { ask, said } = transmitting();
	ask({ offset: 3 * piece, length: 3 * piece });
	assert.deepEqual(
		said().map(({ type, done }) => ({ type, done })),
		[
			{ type: NBD_REPLY_TYPE.OFFSET_DATA, done: false },
			{ type: NBD_REPLY_TYPE.OFFSET_HOLE, done: false },
			{ type: NBD_REPLY_TYPE.OFFSET_HOLE, done: true },
		],
	);
});

test('`NbdServerSession`: a small read is answered between the pieces of a large one', () => {
	const { ask, session } = transmitting();
	ask({ offset: 0, length: 3 * piece, cookie: 1n });
	session.nextPiece();
	ask({ offset: 0, length: 512, cookie: 2n });
	assert.deepEqual(
		client.chunks(client.said(session)).map(({ cookie }) => cookie),
		[1n, 2n, 1n, 1n],
	);
});

test('`NbdServerSession`: an error in the middle of a large read is its last chunk, and others are answered', () => {
	const { ask, said, disk } = transmitting();
	ask({ offset: 8 * piece, length: 3 * piece, cookie: 1n }, { offset: 0, length: 2 * piece, cookie: 2n });
	assert.deepEqual(
		said().map(({ cookie, done }) => ({ cookie, done })),
		[
			{ cookie: 1n, done: false },
			{ cookie: 2n, done: false },
			{ cookie: 2n, done: true },
		],
	);
	disk.answer({ errno: NBD_ERROR.EIO, message: 'the chunk is bad' });
	const [error, ...more] = said();
	assert.equal(more.length, 0);
	assert.deepEqual([error?.cookie, error?.done, client.errnoOf(error)], [1n, true, NBD_ERROR.EIO]);
});

test('`NbdServerSession`: what of a large read has to be waited for is one read, of which the rest is called off with the client', () => {
	const { ask, said, session, disk } = transmitting();
	ask({ offset: 8 * piece, length: 5 * piece });
	assert.equal(said().length, 1);
	assert.deepEqual(
		disk.held.map(({ offset, length }) => ({ offset, length })),
		[{ offset: 9 * piece, length: 4 * piece }],
	);
	session.close();
	assert.ok(disk.held[0]?.cancelled);
});

test('`NbdServerSession`: large reads are answered to their end before a disconnect ends the session', () => {
	const { ask, said, session } = transmitting();
	ask({ offset: 0, length: 3 * piece }, { offset: 0, length: 2 * piece });
	session.push(client.request({ type: NBD_CMD.DISC }));
	assert.ok(!session.over);
	assert.equal(said().length, 5);
	assert.ok(session.over);
});

test('`NbdServerSession`: large reads that ask for too much end the taking of requests, and nothing is read for a client that is gone', () => {
	const { ask, session } = transmitting();
	for (let sent = 0; sent < 40; sent += 1) ask({ offset: 0, length: 16 * piece });
	assert.ok(session.full && session.holdsInput);
	session.close();
	assert.ok(!session.hasPieces);
});

test('`NbdServerSession`: all pieces are built in one buffer while each is taken before the next', () => {
	const { ask, session } = transmitting();
	const slabs = new Set<ArrayBufferLike>();
	for (let round = 0; round < 4; round += 1) {
		ask({ offset: 0, length: 16 * piece });
		while (session.hasPieces) {
			session.nextPiece();
			slabs.add(session.replies.slab.buffer);
			client.saidSoFar(session);
		}
	}
	assert.equal(slabs.size, 1);
});

test('`NbdServerSession`: slabs that were filled while the client took nothing are used again', () => {
	const { ask, session } = transmitting();
	const slabs = new Set<ArrayBufferLike>();
	for (let round = 0; round < 20; round += 1) {
		ask({ offset: 0, length: 4 * piece });
		while (session.hasPieces) {
			session.nextPiece();
			slabs.add(session.replies.slab.buffer);
		}
		client.saidSoFar(session);
	}
	assert.equal(slabs.size, 4);
});

const someRead = fc
	.record({ offset: fc.nat(bytes.length - 1), length: fc.integer({ min: 1, max: 6 * piece }) })
	.map(({ offset, length }) => ({ offset, length: Math.min(length, bytes.length - offset) }));
/** What happens after a request: a piece, an answer, a failure, or that the client takes what is there. */
const happenings = fc.array(fc.constantFrom('piece', 'answer', 'fail', 'take'), { maxLength: 6 });

test('`NbdServerSession`: of a read of any size each byte is answered once and rightly, or it fails, however things go on', () => {
	fc.assert(
		fc.property(fc.array(fc.tuple(someRead, happenings), { minLength: 1, maxLength: 8 }), story => {
			const { disk, session, ask } = transmitting();
			const said: Buffer[] = [];
			const failure = { errno: NBD_ERROR.EIO, message: 'bad' };
			for (const [index, [read, events]] of story.entries()) {
				ask({ ...read, cookie: BigInt(index) });
				for (const event of events)
					if (event === 'piece') session.nextPiece();
					else if (event === 'take') said.push(client.saidSoFar(session));
					else if (disk.held.length > 0) disk.answer(event === 'fail' ? failure : undefined);
			}
			const takeAll = () => {
				said.push(client.said(session));
				// Requests that were held back because the client took nothing.
				for (; session.holdsInput && !session.full; said.push(client.said(session))) session.push();
			};
			takeAll();
			while (disk.held.length > 0) {
				disk.answer();
				takeAll();
			}
			const chunks = client.chunks(Buffer.concat(said));
			for (const [index, [read]] of story.entries())
				checkAnswer(
					read,
					chunks.filter(({ cookie }) => cookie === BigInt(index)),
				);
		}),
		{ numRuns: 60 },
	);
});

/** Only the last chunk is done, and all are data without a gap, unless the last one is an error. */
function checkAnswer({ offset, length }: { offset: number; length: number }, chunks: readonly client.Chunk[]): void {
	assert.equal(
		chunks.findIndex(({ done }) => done),
		chunks.length - 1,
	);
	let position = offset;
	for (const chunk of chunks) {
		if (client.errnoOf(chunk) !== 0) return;
		assert.ok(isRight(chunk));
		assert.equal(spanOf(chunk).offset, position);
		position += spanOf(chunk).length;
	}
	assert.equal(position, offset + length);
}

/** Large reads of it leave from where their bytes lie. */
class LendingExport extends MemoryExport {
	lend(offset: number, length: number) {
		return { bytes: [bytes.subarray(offset, offset + length)], free: () => {} };
	}
}

for (const [where, before] of [
	['as the first reply of all', []],
	['where only a part of its header has room', [piece, 131_000]],
] as const)
	test(`\`NbdServerSession\`: a piece that is lent is right ${where}`, () => {
		const session = new NbdServerSession(new NbdExports([new LendingExport('disk0', bytes)]), () => {});
		session.push(client.hello());
		client.said(session);
		const lengths = [...before, 2 * piece];
		session.push(
			Buffer.concat(lengths.map(length => client.request({ type: NBD_CMD.READ, offset: 7 * piece, length }))),
		);
		while (session.hasPieces) session.nextPiece(); // the client takes nothing meanwhile
		const chunks = client.chunks(client.said(session));
		assert.deepEqual(
			chunks.map(({ payload }) => payload.length - 8),
			[...before, piece, piece],
		);
		assert.ok(chunks.every(isRight));
	});
