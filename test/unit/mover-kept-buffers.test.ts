import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChunkBuffers } from '../../movers/mount-mover/chunk-buffers.ts';
import { ReadBuffers } from '../../repository/read-buffers.ts';

const sizeBytes = 64 * 1024;

for (const [name, buffers] of [
	['ChunkBuffers', new ChunkBuffers()],
	['ReadBuffers', new ReadBuffers(sizeBytes)],
] as const)
	test(`${name} keep what was given back until they are to let go of it`, () => {
		const [first, second] = [buffers.take(sizeBytes), buffers.take(sizeBytes)];
		buffers.giveBack(first);
		assert.equal(buffers.take(sizeBytes), first);
		buffers.giveBack(first);
		buffers.giveBack(second);
		buffers.letGo();
		const fresh = buffers.take(sizeBytes);
		assert.ok(fresh !== first && fresh !== second);
	});
