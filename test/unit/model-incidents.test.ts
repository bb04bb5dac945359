import assert from 'node:assert/strict';
import { test } from 'node:test';
import { firstIncidents, incidentBytes, lastIncidents, shortMessage } from '../../model/incidents.ts';
import type { Incident } from '../../model/recovery.ts';

const many = (count: number, message: string): Incident[] =>
	Array.from({ length: count }, (_, index) => ({
		sequence: index + 1,
		at: '2026-11-20T03:00:00.000Z',
		kind: 'attempt_failed',
		message,
		count: 1,
	}));
/** Two bytes a character. */
const wide = 'ß'.repeat(1_000);

test('`firstIncidents` keeps the oldest and `lastIncidents` the newest, up to a size in bytes', () => {
	const all = many(500, wide);
	const [first, last] = [firstIncidents(all), lastIncidents(all, 500)];
	for (const kept of [first, last]) {
		const bytes = Buffer.byteLength(JSON.stringify(kept));
		assert.ok(bytes <= incidentBytes && bytes > incidentBytes - 4_000, `${bytes}`);
	}
	assert.deepEqual([first[0]?.sequence, last.at(-1)?.sequence], [1, 500]);
	assert.deepEqual(
		last.map(({ sequence }) => sequence).toSorted((a, b) => a - b),
		last.map(({ sequence }) => sequence),
	);
});

test('`lastIncidents` keeps no more than a number', () => {
	assert.deepEqual(
		lastIncidents(many(9, 'short'), 2).map(({ sequence }) => sequence),
		[8, 9],
	);
});

test('`firstIncidents` of one that is too large is that one: it must not hold up the others for ever', () => {
	assert.equal(firstIncidents(many(2, 'x'.repeat(incidentBytes))).length, 1);
	assert.equal(firstIncidents([]).length, 0);
});

test('`shortMessage` cuts what has no end', () => {
	assert.equal(shortMessage('as it was'), 'as it was');
	assert.match(shortMessage('y'.repeat(100_000)), /^y{999}…$/);
});
