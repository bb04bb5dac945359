import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { freeBytesAt } from '../../movers/migration-mover/room.ts';

test('`freeBytesAt` takes a file system that tells no size for one with room', async () => {
	assert.equal(await freeBytesAt('/proc/self'), Number.POSITIVE_INFINITY);
	assert.ok(Number.isFinite(await freeBytesAt(tmpdir())));
});
