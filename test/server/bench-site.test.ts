/** The benchmark of a whole site measures what it says, with a site of three machines. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { measure } from '../../bench/site/run.ts';
import { tableOf } from '../../bench/site/table.ts';
import { serviceNames } from '../../keeper/services.ts';

test('`measure` brings a site back and tells what each recovery and each service took', async ({ signal }) => {
	const figures = await measure({ size: 3, temporal: '{}', limitMs: 120_000, signal });
	const { started, finished, grants, eventsEach, placeToFinishedMs, grantHeardMs, used } = figures;
	assert.deepEqual([started, finished, grants], [3, 3, 6]);
	assert.ok(eventsEach.median > 100 && eventsEach.most < 200, JSON.stringify(eventsEach));
	assert.ok(placeToFinishedMs.median > 0 && grantHeardMs.median >= 0);
	assert.deepEqual(Object.keys(used).toSorted(), ['keeper', ...serviceNames].toSorted());
	for (const [name, { peakMiB }] of Object.entries(used)) assert.ok(peakMiB > 20, name);
	assert.ok((used['control-worker']?.cpuSeconds ?? 0) > 0);
	const at = new Date().toISOString();
	const table = tableOf([{ temporal: 'embedded', size: 3, at, load: [0, 0], processors: 2, figures }]);
	assert.match(table, /^\| {2}\| embedded, 3 \|\n[^]*\| recoveries started, finished \| 3, 3 \|\n/);
});
