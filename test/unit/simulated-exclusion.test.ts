import assert from 'node:assert/strict';
import { readlinkSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { exclusively } from '../../hypervisors/simulated/exclusion.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

test('`exclusively` holds the lock while it works, also when the work throws, and leaves nothing', async t => {
	const directory = await temporaryDirectory(t);
	const lock = join(directory, 'lock');
	assert.equal(
		exclusively(lock, () => readlinkSync(lock).split(' ')[0]),
		String(process.pid),
	);
	assert.throws(
		() =>
			exclusively(lock, () => {
				throw new Error('the work failed');
			}),
		/the work failed/,
	);
	assert.deepEqual(readdirSync(directory), []);
});

/** No process has the pid 0; one with this pid, but another start, is a process that is gone. */
for (const [who, holder] of [
	['a process that is gone', '0 1'],
	['another process that had our pid', `${process.pid} 1`],
] as const)
	test(`\`exclusively\` takes the lock of ${who}`, async t => {
		const directory = await temporaryDirectory(t);
		const lock = join(directory, 'lock');
		symlinkSync(holder, lock);
		assert.equal(
			exclusively(lock, () => 'done'),
			'done',
		);
		assert.deepEqual(readdirSync(directory), []);
	});
