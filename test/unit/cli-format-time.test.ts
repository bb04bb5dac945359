import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { formatLocalTime, formatTime, formatZone } from '../../cli/terminal/format-time.ts';

const zone = process.env['TZ'];
before(() => {
	process.env['TZ'] = 'Europe/Berlin';
});
after(() => {
	if (zone === undefined) delete process.env['TZ'];
	else process.env['TZ'] = zone;
});

const at = '2026-11-20T03:00:12.345Z';
const then = Date.parse(at);
const minute = 60_000;

test('a time for people is of their zone, and says how long ago it was', () => {
	assert.equal(formatTime(at, then + 12_000), '04:00:12 (12 s ago)');
	assert.equal(formatTime(at, then + 59 * minute), '04:00:12 (59 min ago)');
	assert.equal(formatTime(at, then + 150 * minute), '04:00:12 (2 h ago)');
	assert.equal(formatTime(at, then + 24 * 60 * minute), '2026-11-20 04:00:12 (24 h ago)');
	assert.equal(formatTime(at, then + 72 * 60 * minute), '2026-11-20 04:00:12 (3 d ago)');
});

test('the day of a time is that of its zone', () => {
	const late = '2026-11-20T23:30:00.000Z';
	assert.equal(formatTime(late, Date.parse(late) + minute), '00:30:00 (1 min ago)');
	assert.equal(formatLocalTime(late), '2026-11-21 00:30:00');
});

test('a time of a clock that is ahead is not in the past', () => {
	assert.equal(formatTime(at, then - 200), '04:00:12 (0 s ago)');
	assert.equal(formatTime(at, then - 90_000), '04:00:12 (in 1 min)');
});

test('the zone is that of the time, not of today', () => {
	assert.deepEqual([at, '2026-07-20T03:00:12Z'].map(formatZone), ['UTC+01:00', 'UTC+02:00']);
});
