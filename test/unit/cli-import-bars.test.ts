import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ImportBars } from '../../cli/backup/import-bars.ts';

/** Notes what is made and ended of bars. */
function notedBars(): { bars: ImportBars; noted: string[] } {
	const noted: string[] = [];
	const progress = (label: string) => {
		noted.push(label);
		return { update: () => {}, end: () => void noted.push(`end ${label}`) };
	};
	return { bars: new ImportBars({ progress }), noted };
}

test('`ImportBars` goes on with a bar, and begins another for another label, from its beginning again, and after an end', () => {
	const { bars, noted } = notedBars();
	for (const done of [0, 5, 5, 9, 2]) bars.show('looking at', { done });
	assert.deepEqual(noted.splice(0), ['looking at', 'end looking at', 'looking at']);
	bars.show('importing web01', { done: 3 });
	assert.deepEqual(noted.splice(0), ['end looking at', 'importing web01']);
	bars.end();
	bars.end();
	bars.show('importing web01', { done: 4 });
	assert.deepEqual(noted, ['end importing web01', 'importing web01']);
});
