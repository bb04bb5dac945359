import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PagedBytes } from '../../vhdx/paged-bytes.ts';

const pageBytes = 64 * 1024;

test('`PagedBytes` keeps the 16 pages that were used last, and reads no further than the file', async () => {
	const read: number[] = [];
	const pages = new PagedBytes({
		name: 'tables',
		sizeBytes: 20 * pageBytes - 100,
		read: async (atBytes, lengthBytes) => {
			read.push(atBytes / pageBytes);
			return new Uint8Array(lengthBytes).fill(atBytes / pageBytes);
		},
	});
	const use = async (page: number) => (await pages.some('table', page * pageBytes + 8, pageBytes))[0];
	for (let page = 0; page < 16; page++) assert.equal(await use(page), page);
	await use(0);
	assert.equal(await use(19), 19);
	await use(0);
	assert.equal(read.length, 17);
	assert.equal(await use(1), 1);
	assert.deepEqual(read.slice(16), [19, 1]);
	assert.equal((await pages.some('table', 19 * pageBytes, pageBytes)).length, pageBytes - 100);
});
