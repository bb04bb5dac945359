import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { temporaryDirectory } from '../equipment/captive.ts';
import { allocateTarget, type MoverFaults, startMigrationMover } from '../equipment/movers.ts';
import { sampleDisk, storeDisk } from '../equipment/stored-disk.ts';

async function started(t: TestContext, how: MoverFaults = {}): Promise<number> {
	const directory = await temporaryDirectory(t);
	const { image } = await storeDisk(join(directory, 'repository'), sampleDisk(1024 * 1024));
	const { child } = await startMigrationMover(t, directory, [await allocateTarget(directory, image)], how);
	assert.ok(child.pid);
	return child.pid;
}

test('a migration mover runs at a low priority, all of its threads', async t => {
	const pid = await started(t);
	for (const thread of await readdir(`/proc/${pid}/task`)) assert.equal(getPriority(Number(thread)), 10);
});

test('one that was started at a still lower priority stays there', async t => {
	assert.equal(getPriority(await started(t, { niceness: 15 })), 15);
});
