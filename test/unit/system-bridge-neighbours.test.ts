import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseForwarding } from '../../system/bridge-neighbours.ts';

test('`parseForwarding` reads addresses, ports above 255 and whose own they are, and no half entry', () => {
	const entry = (mac: string, port: number, local: number) =>
		Buffer.from([...Buffer.from(mac, 'hex'), port & 255, local, 1, 2, 3, 4, port >> 8, 0, 0, 0]);
	const table = Buffer.concat([entry('525400000001', 2, 0), entry('fe5400abcdef', 0x102, 1), Buffer.alloc(7)]);
	assert.deepEqual(parseForwarding(table), [
		{ mac: '52:54:00:00:00:01', port: 2, local: false },
		{ mac: 'fe:54:00:ab:cd:ef', port: 0x102, local: true },
	]);
});
