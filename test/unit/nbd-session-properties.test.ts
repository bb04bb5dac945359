import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { NbdExports } from '../../nbd/server/export.ts';
import { NBD_OPT } from '../../nbd/protocol/constants.ts';
import { NbdServerSession } from '../../nbd/server/session.ts';
import { WritableMemoryExport } from '../equipment/writable-memory-export.ts';
import * as client from '../equipment/nbd-client.ts';

const bytes = Buffer.alloc(100_000, 'content ');

/** The first half of its export may not be written. */
function newSession(): NbdServerSession {
	const disk = new WritableMemoryExport('disk0', Buffer.from(bytes), bytes.length / 2);
	return new NbdServerSession(new NbdExports([disk]), () => {});
}

/** Pushes in pieces, taking replies in between as a connection does; returns all that was said. */
function talk(session: NbdServerSession, input: Buffer, cuts: readonly number[]): Buffer {
	const said: Buffer[] = [];
	let at = 0;
	for (const cut of [...cuts.map(part => part % (input.length + 1)).toSorted((a, b) => a - b), input.length]) {
		session.push(input.subarray(at, cut));
		at = cut;
		said.push(client.said(session));
		while (session.holdsInput && !session.over) {
			session.push();
			const more = client.said(session);
			if (more.length === 0) break;
			said.push(more);
		}
	}
	return Buffer.concat(said);
}

const number32 = fc.oneof(fc.nat(20), fc.nat(110_000), fc.integer({ min: 0, max: 0xffff_ffff }));
const someRequest = fc
	.record({
		type: fc.oneof(fc.nat(8), fc.nat(0xffff)),
		flags: fc.oneof(fc.constant(0), fc.nat(31), fc.nat(0xffff)),
		offset: number32,
		length: fc.oneof(fc.nat(20), fc.nat(70_000)),
		cookie: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
	})
	.map(client.request);
const someWrite = fc
	.record({ offset: fc.nat(100_000), length: fc.nat(5_000), flags: fc.nat(1), cookie: fc.constant(7n) })
	.map(fields => Buffer.concat([client.request({ type: 1, ...fields }), Buffer.alloc(fields.length, 'written')]));
const someOption = fc
	.tuple(
		fc.oneof(fc.constantFrom(...Object.values(NBD_OPT)), fc.nat(0xffff)),
		fc.oneof(
			fc.constantFrom(
				Buffer.alloc(0),
				client.about('disk0', [0, 1, 2, 3]),
				client.contexts('disk0', ['base:allocation', 'rouse:']),
				client.contexts('', []),
			),
			fc.uint8Array({ maxLength: 40 }).map(data => Buffer.from(data)),
		),
	)
	.map(([type, data]) => client.option(type, data));
const conversation = fc
	.tuple(
		fc.array(someOption, { maxLength: 6 }),
		fc.boolean(),
		fc.array(fc.oneof(someRequest, someWrite), { maxLength: 30 }),
	)
	.map(([options, structured, requests]) =>
		Buffer.concat([client.hello({ structured }).subarray(0, 4), ...options, ...afterFlags(structured), ...requests]),
	);

function afterFlags(structured: boolean): Buffer[] {
	return [client.hello({ structured }).subarray(4)];
}

test('`NbdServerSession.push`: replies do not depend on how the input was cut', () => {
	fc.assert(
		fc.property(conversation, fc.array(fc.nat(), { maxLength: 20 }), (input, cuts) => {
			const whole = newSession();
			const cut = newSession();
			assert.ok(talk(cut, input, cuts).equals(talk(whole, input, [])));
			assert.equal(cut.over, whole.over);
		}),
		{ numRuns: 300 },
	);
});

test('`NbdServerSession.push`: replies do not depend on the input coming byte by byte', () => {
	const input = Buffer.concat([client.hello(), client.request({ type: 0, length: 4096 }), client.request({ type: 2 })]);
	const bytewise = talk(
		newSession(),
		input,
		Array.from(input, (_, at) => at),
	);
	assert.ok(bytewise.equals(talk(newSession(), input, [])));
});

test('`NbdServerSession.push`: no input throws, whole or cut, valid or not', () => {
	const garbage = fc.uint8Array({ maxLength: 400 }).map(data => Buffer.from(data));
	const input = fc
		.tuple(fc.oneof(conversation, garbage), garbage, conversation, fc.nat())
		.map(([first, second, third, at]) =>
			Buffer.concat([first.subarray(0, at % (first.length + 1)), second, third.subarray(4)]),
		);
	fc.assert(
		fc.property(input, fc.array(fc.nat(), { maxLength: 10 }), (sent, cuts) => {
			const session = newSession();
			talk(session, sent, cuts);
			session.close();
			session.push(sent);
			assert.ok(session.over);
		}),
		{ numRuns: 500 },
	);
});
