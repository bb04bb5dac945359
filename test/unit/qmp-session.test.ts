import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import { type QmpMessage, QmpSession } from '../../qmp/session.ts';

const lines = [
	'{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}}, "capabilities": ["oob"]}}',
	'{"return": {}, "id": "rouse-1"}',
	'{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "STOP"}',
	'{"event": "JOB_STATUS_CHANGE", "data": {"id": "prüfung", "status": "ready"}}',
	'{"id": "rouse-2", "error": {"class": "GenericError", "desc": "nein: ü"}}',
];
const messages: QmpMessage[] = [
	{ kind: 'greeting' },
	{ kind: 'return', id: 'rouse-1', value: {} },
	{ kind: 'event', event: 'STOP', data: {} },
	{ kind: 'event', event: 'JOB_STATUS_CHANGE', data: { id: 'prüfung', status: 'ready' } },
	{ kind: 'error', id: 'rouse-2', class: 'GenericError', description: 'nein: ü' },
];
/** As QEMU ends its lines. */
const stream = Buffer.from(lines.map(line => `${line}\r\n`).join(''));

suite('QmpSession', () => {
	test('`push` gives the same messages wherever the stream is cut, in the middle of a character too', () => {
		fc.assert(
			fc.property(fc.array(fc.nat(stream.length), { maxLength: 30 }), cuts => {
				const session = new QmpSession();
				const ends = [0, ...cuts.toSorted((a, b) => a - b), stream.length];
				const found = ends.slice(1).flatMap((end, at) => session.push(stream.subarray(ends[at], end)));
				assert.deepEqual(found, messages);
			}),
		);
	});

	test('`push` keeps no hold of the bytes it was given', () => {
		const session = new QmpSession();
		const part = Buffer.from('{"event": "STO');
		session.push(part);
		part.fill(0); // as a socket's buffer is used again
		assert.deepEqual(session.push(Buffer.from('P"}\n')), [{ kind: 'event', event: 'STOP', data: {} }]);
	});

	test('`command` gives every command an id of its own, on one line', () => {
		const session = new QmpSession();
		const first = session.command('stop');
		const second = session.command('human-monitor-command', { 'command-line': 'a\nb' });
		assert.notEqual(first.id, second.id);
		assert.deepEqual(JSON.parse(first.bytes.toString()), { execute: 'stop', id: first.id });
		assert.equal(second.bytes.toString().indexOf('\n'), second.bytes.length - 1);
	});

	for (const [what, line] of [
		['text that is not JSON', 'QEMU 7.2 monitor'],
		['a document of no known kind', '{"hello": 1}'],
		['an error without an id', '{"error": {"class": "GenericError", "desc": "JSON parse error"}}'],
	] as const)
		test(`\`push\` refuses ${what}`, () => {
			assert.throws(() => new QmpSession().push(Buffer.from(`${line}\n`)), { code: 'protocol' });
		});

	test('`push` of a line without end is `protocol`', () => {
		const session = new QmpSession();
		const part = Buffer.alloc(6 * 1024 * 1024, 'x');
		session.push(part);
		session.push(part);
		assert.throws(() => session.push(part), { code: 'protocol' });
	});
});
