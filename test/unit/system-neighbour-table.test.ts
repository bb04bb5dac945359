import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recentlyAt } from '../../system/neighbour-table.ts';

const mac = '52:54:00:00:00:01';

test('`recentlyAt` gives who has answered from that address within five minutes', () => {
	const table = JSON.stringify([
		{ dst: '192.0.2.1', lladdr: mac, used: 3, confirmed: 300, updated: 3, state: ['STALE'] },
		{ dst: '192.0.2.2', lladdr: mac, used: 3, confirmed: 301, updated: 3, state: ['STALE'] },
		{ dst: '192.0.2.3', lladdr: '52:54:00:00:00:02', used: 3, confirmed: 1, updated: 3, state: ['REACHABLE'] },
		{ dst: 'fd00::1', used: 1, confirmed: 1, updated: 1, probes: 6, state: ['FAILED'] },
	]);
	assert.deepEqual(recentlyAt(table, mac), ['192.0.2.1']);
	assert.deepEqual(recentlyAt('', mac), []);
});
