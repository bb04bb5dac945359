import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { maxStoredBytes, minStoredBytes } from '../../model/chunk-bounds.ts';
import { RouseError } from '../../model/errors.ts';
import { AnswerReader } from '../../movers/repository-mover/protocol/answer-reader.ts';
import { aliveFrame, encodeErrorFrame, RangeHeads } from '../../movers/repository-mover/protocol/answers.ts';
import { encodeClientHello, encodeServerHello } from '../../movers/repository-mover/protocol/hello.ts';
import { decodePlaces, decodeReferences, encodeNames } from '../../movers/repository-mover/protocol/names.ts';
import {
	type ChunkRequest,
	encodeRequest,
	mostRequestBytes,
	RequestReader,
} from '../../movers/repository-mover/protocol/requests.ts';
import { Slabs } from '../../movers/repository-mover/protocol/slabs.ts';

const hex = (bytes: number) =>
	fc.uint8Array({ minLength: bytes, maxLength: bytes }).map(array => Buffer.from(array).toString('hex'));
const place = fc.record(
	{ root: hex(32), height: fc.integer({ min: 0, max: 9 }), number: fc.integer({ min: 0, max: 2 ** 50 }) },
	{ noNullPrototype: true },
);
const ref = fc.record(
	{
		digest: hex(32),
		packId: hex(16),
		offsetBytes: fc.integer({ min: 0, max: 0xffff_ffff - maxStoredBytes }),
		storedBytes: fc.integer({ min: minStoredBytes, max: maxStoredBytes }),
		place,
	},
	{ noNullPrototype: true },
);
const refs = fc.array(ref, { minLength: 1, maxLength: 20 });
const sizes = (max: number) => fc.infiniteStream(fc.integer({ min: 1, max }));

function piecesOf(stream: Buffer, cuts: Iterator<number>): Buffer[] {
	const pieces: Buffer[] = [];
	for (let at = 0; at < stream.length; ) {
		const size: number = cuts.next().value ?? stream.length;
		pieces.push(stream.subarray(at, at + size));
		at += size;
	}
	return pieces;
}

test('`decodeReferences` and `decodePlaces` read back what `encodeNames` wrote', () => {
	fc.assert(
		fc.property(refs, all => {
			const [byReference, byPlace] = [Buffer.alloc(56 * all.length), Buffer.alloc(44 * all.length)];
			encodeNames('references', all, byReference, 0);
			encodeNames('places', all, byPlace, 0);
			assert.deepEqual(
				decodeReferences(byReference),
				all.map(({ place: _place, ...rest }) => rest),
			);
			assert.deepEqual(
				decodePlaces(byPlace),
				all.map(one => one.place),
			);
		}),
	);
});

test('names that are no list, and a zero entry, are `protocol`', () => {
	for (const names of [Buffer.alloc(0), Buffer.alloc(55, 1), Buffer.alloc(56)])
		assert.throws(() => decodeReferences(names), { code: 'protocol' }, `${names.length} bytes`);
	for (const names of [Buffer.alloc(0), Buffer.alloc(43), Buffer.alloc(45)])
		assert.throws(() => decodePlaces(names), { code: 'protocol' }, `${names.length} bytes`);
});

/** What a mover makes of a client's bytes. */
function requestsIn(pieces: readonly Buffer[]): { says?: string; requests: ChunkRequest[] } {
	const reader = new RequestReader();
	const requests: ChunkRequest[] = [];
	let says: string | undefined;
	for (const piece of pieces) {
		reader.push(piece);
		says ??= reader.hello()?.says;
		if (says === undefined) continue;
		for (let next = reader.request(); next !== undefined; next = reader.request()) requests.push(next);
		assert.ok(reader.length <= mostRequestBytes);
	}
	return says === undefined ? { requests } : { says, requests };
}

test('`RequestReader` gives what a client said, however that is cut, and keeps what it gave out as it was', () => {
	const naming = fc.constantFrom('references', 'places');
	const options = fc.record({
		class: fc.constantFrom('mount', 'ahead', 'migration'),
		locate: fc.boolean(),
	});
	fc.assert(
		fc.property(naming, fc.string(), fc.array(fc.tuple(refs, options)), sizes(3000), (by, says, asked, cuts) => {
			const requests = asked.map(([all, how]) => encodeRequest(by, all, how));
			const said = requestsIn(piecesOf(Buffer.concat([encodeClientHello({ naming: by, says }), ...requests]), cuts));
			assert.equal(said.says, says);
			assert.deepEqual(
				said.requests.map(({ names, ...rest }) => ({ ...rest, names: names.toString('hex') })),
				asked.map(([all, how], n) => ({
					class: how.class,
					locate: how.locate,
					count: all.length,
					names: requests[n]?.toString('hex', 4),
				})),
			);
		}),
	);
});

test('`RequestReader` throws nothing but `protocol`, whatever it is told', () => {
	const hello = encodeClientHello({ naming: 'references', says: 'r1' });
	const request = encodeRequest('references', [{ digest: '', packId: '', offsetBytes: 0, storedBytes: 50 }], {
		class: 'mount',
	});
	const piece = fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.constant(request));
	fc.assert(
		fc.property(fc.boolean(), fc.array(piece), sizes(200), (greeted, pieces, cuts) => {
			try {
				requestsIn(piecesOf(Buffer.concat([greeted ? hello : Buffer.alloc(0), ...pieces]), cuts));
			} catch (error) {
				assert.ok(error instanceof RouseError && error.code === 'protocol', String(error));
			}
		}),
	);
});

test('a request for no chunks, or for more than one may ask for, is refused before it has come', () => {
	const hello = encodeClientHello({ naming: 'places', says: '' });
	for (const count of [0, 2049]) {
		const head = Buffer.alloc(4);
		head.writeUInt16LE(count, 2);
		assert.throws(() => requestsIn([hello, head]), { code: 'protocol' }, `${count}`);
	}
});

test('a hello of another version, or of something else, is `protocol` as soon as that can be seen', () => {
	const other = encodeClientHello({ naming: 'references', says: '' });
	other.writeUInt32LE(7, 8);
	assert.throws(() => requestsIn([other]), { code: 'protocol', message: /version 1 .* there version 7/ });
	assert.throws(() => requestsIn([Buffer.from('POST')]), { code: 'protocol', message: /something else/ });
	const answered = (said: Buffer) => answers([[said]], 1, 4096);
	assert.throws(() => answered(encodeServerHello(7)), { code: 'protocol', message: /there version 7/ });
	assert.throws(() => answered(Buffer.from('HTTP')), { code: 'protocol', message: /something else/ });
});

interface Heard {
	chunks: string[];
	/** What ended an answer. */
	failures: RouseError[];
}

/**
 * What a client makes of a mover's answers to requests for so many chunks, in slabs so small that each is used many times;
 * `every`: how many pieces come before it takes what is there, if it is not full before.
 */
function answers(all: readonly (readonly Buffer[])[], count: number, slabBytes: number, every = 1): Heard {
	const reader = new AnswerReader(slabBytes);
	const heard: Heard = { chunks: [], failures: [] };
	for (const pieces of all) {
		reader.begin(count);
		answer(reader, pieces, heard, every);
	}
	return heard;
}

function answer(reader: AnswerReader, pieces: readonly Buffer[], all: Heard, every: number): void {
	let held: { bytes: Buffer; copy: Buffer } | undefined;
	const take = () => {
		if (held) assert.ok(held.bytes.equals(held.copy), 'what was taken was written over before the next was asked for');
		held = undefined;
		try {
			const run = reader.take();
			if (run === undefined) return false;
			held = { bytes: run.bytes, copy: Buffer.from(run.bytes) };
			let at = 0;
			for (const length of run.lengths) all.chunks.push(run.bytes.toString('hex', at, (at += length)));
			return true;
		} catch (error) {
			assert.ok(error instanceof RouseError);
			if (reader.isBroken) throw error;
			all.failures.push(error);
			return true;
		}
	};
	for (const [n, piece] of pieces.entries()) {
		for (let at = 0; at < piece.length; ) {
			const bytes = piece.copy(reader.room, 0, at);
			assert.ok(bytes > 0, 'there is room');
			at += bytes;
			// Who is full takes until there is room, and may still use what it took last.
			if (!reader.filled(bytes)) while (!reader.wantsMore) take();
			else if (n % every === 0) take();
		}
	}
	while (take()) continue;
}

const chunkOf = (max: number) => fc.uint8Array({ minLength: 1, maxLength: max }).map(bytes => Buffer.from(bytes));
const failure = { code: 'chunk_missing', message: 'gone', hint: 'put it back', details: { packId: 'ab' } } as const;

test('`AnswerReader` gives the chunks that went in and the errors that ended answers, however the stream is cut', () => {
	const range = fc.array(chunkOf(1500), { minLength: 1, maxLength: 8 });
	const frame = fc.oneof({ weight: 4, arbitrary: range }, { weight: 1, arbitrary: fc.constant('alive') });
	const spoken = fc.array(fc.record({ frames: fc.array(frame, { size: '+1' }), fails: fc.boolean() }));
	const slab = fc.constantFrom(1024, 4096, 8192);
	const heads = new RangeHeads();
	const encoded = (one: Buffer[] | string) =>
		typeof one === 'string' ? [aliveFrame] : [Buffer.from(heads.encode(one.map(({ length }) => length))), ...one];
	// Cut where frames and chunks end, or anywhere.
	const cuts = fc.oneof(fc.constant(undefined), sizes(3000));
	fc.assert(
		fc.property(spoken, cuts, slab, fc.integer({ min: 1, max: 7 }), (said, cut, slabBytes, every) => {
			const pieces = said.map(({ frames, fails }, n) => {
				const end = fails ? [encodeErrorFrame(failure), aliveFrame] : [aliveFrame];
				const whole = [...(n === 0 ? [encodeServerHello()] : []), ...frames.flatMap(encoded), ...end];
				return cut ? piecesOf(Buffer.concat(whole), cut) : whole;
			});
			const { chunks, failures } = answers(pieces, 1000, slabBytes, every);
			const sent = said.flatMap(({ frames }) => frames.flatMap(one => (typeof one === 'string' ? [] : one)));
			assert.deepEqual(
				chunks,
				sent.map(bytes => bytes.toString('hex')),
			);
			assert.deepEqual(
				failures.map(error => error.toDocument()),
				said.flatMap(({ fails }) => (fails ? [failure] : [])),
			);
		}),
	);
});

test('`AnswerReader` gives a chunk that is longer than its slabs', () => {
	const long = Buffer.alloc(3 * 1024 * 1024, 'long');
	const short = Buffer.alloc(1000, 'short');
	const head = new RangeHeads().encode([1000, long.length, 1000]);
	const stream = Buffer.concat([encodeServerHello(), head, short, long, short]);
	const { chunks } = answers([piecesOf(stream, [50_000][Symbol.iterator]())], 3, 16 * 1024);
	assert.deepEqual(
		chunks,
		[short, long, short].map(bytes => bytes.toString('hex')),
	);
});

test('`Slabs` that must grow leave alone what is in use, also where it would fit in there', () => {
	const slabs = new Slabs(1024);
	const come = (bytes: number, what: string) => {
		slabs.room.fill(what, 0, bytes);
		slabs.filled(bytes);
	};
	slabs.prepare(3000, false);
	come(3060, 'a');
	const used = slabs.use(3058);
	slabs.prepare(4, false);
	come(2, 'b');
	slabs.prepare(2000, false);
	come(1996, 'c');
	assert.ok(used.equals(Buffer.alloc(3058, 'a')));
	assert.ok(slabs.peek(2000).equals(Buffer.from(`aabb${'c'.repeat(1996)}`)));
});

test('`Slabs` that more comes into than is needed have room for all of it, or say that they are full', () => {
	const slabs = new Slabs(1024);
	const come = (bytes: number, what: string) => {
		slabs.room.fill(what, 0, bytes);
		slabs.filled(bytes);
	};
	slabs.prepare(3000, false);
	come(10, 'a');
	slabs.use(10); // and the other slab is shorter than what comes now
	while (slabs.prepare(4, false)) {
		assert.ok(slabs.room.length > 0 && slabs.length < 4000);
		come(slabs.room.length, 'b');
	}
	assert.ok(slabs.room.length > 0);
	assert.ok(slabs.length > 3000 && slabs.peek(slabs.length).equals(Buffer.alloc(slabs.length, 'b')));
});

test('`AnswerReader` throws nothing but `protocol` or what a mover sent, and keeps no more than there is room for', () => {
	const heads = new RangeHeads();
	const frame = fc.oneof(
		fc.uint8Array({ maxLength: 200 }).map(bytes => Buffer.from(bytes)),
		fc.constantFrom(aliveFrame, encodeErrorFrame(failure), encodeErrorFrame(failure, 'refusal')),
		fc.array(fc.integer({ min: 0, max: 3000 })).map(lengths => Buffer.from(heads.encode(lengths))),
	);
	fc.assert(
		fc.property(fc.boolean(), fc.array(frame), sizes(500), (greeted, frames, cuts) => {
			const stream = Buffer.concat([...(greeted ? [encodeServerHello()] : []), ...frames]);
			try {
				answers([piecesOf(stream, cuts)], 10, 4096);
			} catch (error) {
				assert.ok(error instanceof RouseError && ['protocol', failure.code].includes(error.code), String(error));
			}
		}),
	);
});

test('`AnswerReader` refuses at once what no honest mover sends', () => {
	const heads = new RangeHeads();
	const tooLong = Buffer.from([3, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f]);
	for (const [what, frame] of Object.entries({
		'a chunk that is too long': Buffer.from(heads.encode([maxStoredBytes + 1])),
		'a chunk of nothing': Buffer.from(heads.encode([0])),
		'a range of no chunks': Buffer.from(heads.encode([])),
		'more chunks than were asked for': Buffer.from(heads.encode([1, 1, 1])),
		'an error after all of them': Buffer.concat([heads.encode([1, 1]), Buffer.alloc(2), encodeErrorFrame(failure)]),
		'an error that is too long': tooLong,
		'an error that says nothing': Buffer.from([3, 0, 0, 0, 2, 0, 0, 0, 0x7b, 0x7d]),
		'a frame of no kind': Buffer.from([9, 0, 0, 0]),
	}))
		assert.throws(
			() => {
				const { failures } = answers([[Buffer.concat([encodeServerHello(), frame])]], 2, 4096);
				if (failures[0]) throw failures[0];
			},
			{ code: 'protocol' },
			what,
		);
});

test('an error that is too long for a frame is sent shortened', () => {
	const message = '\u0001'.repeat(1024 * 1024);
	const { failures } = answers(
		[[encodeServerHello(), encodeErrorFrame({ code: 'io_failed', message })]],
		1,
		128 * 1024,
	);
	assert.deepEqual([failures[0]?.code, failures[0]?.message.length], ['io_failed', 2000]);
});
