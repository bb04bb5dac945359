import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseLimit, parsePhases, select } from '../../cli/recover/list-filter.ts';
import { parseSince } from '../../cli/terminal/parse-time.ts';

const rows = [
	{ name: 'c', phase: 'running', machine: 'web01', requestedAt: '2026-11-20T05:00:00.000Z' },
	{ name: 'b', phase: 'finished', machine: 'web01', requestedAt: '2026-11-20T04:00:00.000Z' },
	{ name: 'a', phase: 'running', machine: 'db01', requestedAt: '2026-11-20T03:00:00.000Z' },
] as const;
const names = (filter: Parameters<typeof select>[1]) => select(rows, filter).map(({ name }) => name);

test('`recover list` keeps what has all that was asked for, in its order, and the newest of that', () => {
	assert.deepEqual(names({}), ['c', 'b', 'a']);
	assert.deepEqual(names({ phase: ['running', 'failed'] }), ['c', 'a']);
	assert.deepEqual(names({ machine: 'web01' }), ['c', 'b']);
	assert.deepEqual(names({ since: '2026-11-20T04:00:00.000Z' }), ['c', 'b']);
	assert.deepEqual(names({ phase: ['running'], machine: 'db01', since: '2026-11-20T04:00:00.000Z' }), []);
	assert.deepEqual(names({ phase: ['running'], limit: 1 }), ['c']);
});

test('`--phase` takes phases with commas between them, and names all when one is none', () => {
	assert.deepEqual(parsePhases('running, migrating'), ['running', 'migrating']);
	for (const text of ['', 'gone', 'running,']) assert.throws(() => parsePhases(text), /is no phase: .*finished/, text);
});

test('`--since` takes how long ago it was, or a time', () => {
	const now = Date.parse('2026-11-20T03:00:00.000Z');
	const since = (text: string) => parseSince(text, now);
	assert.equal(since('90m'), '2026-11-20T01:30:00.000Z');
	assert.equal(since('2h'), '2026-11-20T01:00:00.000Z');
	assert.equal(since('7d'), '2026-11-13T03:00:00.000Z');
	assert.equal(since('2026-11-20T04:00:00+01:00'), '2026-11-20T03:00:00.000Z');
	for (const text of ['', '2', 'yesterday', '-2h', '1.5h'])
		assert.throws(() => since(text), /is no time: write 2h/, text);
});

test('`--limit` is one at least', () => {
	assert.equal(parseLimit('20'), 20);
	for (const text of ['0', '-1', 'all', '1.5']) assert.throws(() => parseLimit(text), /write 1 or more/, text);
});
