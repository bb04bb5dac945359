import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatOfFile } from '../../exports/format.ts';

test('the format of an exported file is what its ending says, in any case, and else raw', () => {
	const files = {
		'/a/web01.vhdx': 'vhdx',
		'/a/WEB01.VHDX': 'vhdx',
		'/a/web01.qcow2': 'qcow2',
		'/a/web01.raw': 'raw',
		'/a/web01.img': 'raw',
		'/a/web01': 'raw',
		'/a.qcow2/web01': 'raw',
		'/a/vhdx': 'raw',
		'/a/web01.vhdx.bak': 'raw',
	};
	for (const [path, format] of Object.entries(files)) assert.equal(formatOfFile(path), format, path);
});
