import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChunkCache } from '../../movers/mount-mover/chunk-cache.ts';

function filled(maxBytes: number, ...keys: number[]): ChunkCache<Buffer> {
	const cache = new ChunkCache<Buffer>(maxBytes);
	for (const key of keys) cache.set(key, Buffer.alloc(100, key));
	return cache;
}

test('`ChunkCache` lets go first what was not used for longest', () => {
	const cache = filled(300, 1, 2, 3);
	assert.equal(cache.get(1)?.[0], 1);
	cache.set(4, Buffer.alloc(100, 4));
	assert.deepEqual(
		[1, 2, 3, 4].map(key => cache.has(key)),
		[true, false, true, true],
	);
});

test('`ChunkCache` keeps to its bound in bytes, and keeps no chunk over it', () => {
	const cache = filled(250, 1, 2, 3);
	assert.equal(cache.bytes, 200);
	cache.set(4, Buffer.alloc(400));
	assert.equal(cache.bytes, 0);
	assert.equal(cache.get(4), undefined);
});

test('`ChunkCache.get` does not give a chunk that was pushed out, though it was read last', () => {
	const cache = filled(100, 1);
	cache.get(1);
	cache.set(2, Buffer.alloc(100, 2));
	assert.equal(cache.get(1), undefined);
	assert.equal(cache.get(2)?.[0], 2);
});

test('`ChunkCache.set` of a chunk that is there replaces it', () => {
	const cache = filled(300, 1);
	cache.get(1);
	cache.set(1, Buffer.alloc(50, 9));
	assert.equal(cache.get(1)?.[0], 9);
	assert.equal(cache.bytes, 50);
});

test('`ChunkCache` keeps a chunk that is read all the time while others come', () => {
	const cache = filled(300, 1);
	for (let key = 2; key < 10; key += 1) {
		assert.equal(cache.get(1)?.[0], 1, `after ${key - 2} others`);
		cache.set(key, Buffer.alloc(100, key));
	}
});
