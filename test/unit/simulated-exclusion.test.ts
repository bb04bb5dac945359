import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, readlinkSync, readdirSync, symlinkSync } from 'node:fs';
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

test('`exclusively` takes the lock of a process that was killed and that nobody has waited for yet', async t => {
	const directory = await temporaryDirectory(t);
	const lock = join(directory, 'lock');
	const child = spawn('sleep', ['60']);
	const stat = () => readFileSync(`/proc/${child.pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
	symlinkSync(`${child.pid} ${stat()[19]}`, lock);
	child.kill('SIGKILL');
	// Without giving way to Node, which would wait for it.
	for (let looks = 0; stat()[0] !== 'Z'; looks++) assert.ok(looks < 1_000_000, 'it does not end');
	assert.equal(
		exclusively(lock, () => 'done'),
		'done',
	);
});

test('`exclusively` takes a lock although who was to take it away was killed at that', async t => {
	const directory = await temporaryDirectory(t);
	const lock = join(directory, 'lock');
	symlinkSync('0 1', lock);
	symlinkSync('0 1', `${lock}.takeover`);
	assert.equal(
		exclusively(lock, () => 'done'),
		'done',
	);
	assert.deepEqual(readdirSync(directory), []);
});
