import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { flocksOn, holderOf, lockHolder } from '../../system/process-lock.ts';
import { waitFor } from '../../system/wait.ts';

test('`flocksOn` finds a lock by its inode, with the device number that stat gives', () => {
	const list = [
		'1: FLOCK  ADVISORY  WRITE 30500 fe:00:9977874 0 EOF',
		'2: POSIX  ADVISORY  WRITE 4 fe:00:257 0 EOF',
		'3: FLOCK  ADVISORY  WRITE 7 00:27:257 0 EOF',
		'3: -> FLOCK  ADVISORY  WRITE 8 00:27:257 0 EOF',
		'4: FLOCK  ADVISORY  WRITE 9 103:12345:257 0 EOF',
		'5: FLOCK  ADVISORY  WRITE 10 00:27:1257 0 EOF',
		'',
	].join('\n');
	assert.deepEqual(flocksOn(list, 257n), [
		{ pid: 7, device: 0x27n },
		// makedev(0x103, 0x12345) of glibc
		{ pid: 9, device: 0x12310345n },
	]);
	assert.deepEqual(flocksOn(list, 9977874n), [{ pid: 30500, device: 0xfe00n }]);
});

test('`lockHolder` sees the holder while it lives, and of no other file', async t => {
	const directory = await mkdtemp(join(tmpdir(), 'rouse-lock-'));
	t.after(() => rm(directory, { recursive: true, force: true }));
	const path = join(directory, 'lock');
	const other = join(directory, 'other');
	await writeFile(other, '');
	assert.equal(await lockHolder(path), undefined);
	const child = spawn('flock', ['-n', '-F', path, 'sleep', '60'], { stdio: 'ignore' });
	t.after(() => child.kill('SIGKILL'));
	const holder = await waitFor('the lock', () => lockHolder(path), { timeoutMs: 5_000, everyMs: 5 });
	assert.equal(holder.pid, child.pid);
	assert.equal(await lockHolder(other), undefined);
	child.kill('SIGKILL');
	await once(child, 'exit');
	assert.equal(await lockHolder(path), undefined);
});

// btrfs and overlayfs: /proc/locks has the device of the file system, stat that of the subvolume or layer; and two
// subvolumes have files of the same inode number.
test('`holderOf` a lock whose listed device is not that of stat is who has the file itself open', async t => {
	const directory = await mkdtemp(join(tmpdir(), 'rouse-lock-'));
	t.after(() => rm(directory, { recursive: true, force: true }));
	const path = join(directory, 'lock');
	const other = join(directory, 'other');
	await writeFile(other, '');
	const child = spawn('flock', ['-n', '-F', path, 'sleep', '60'], { stdio: 'ignore' });
	t.after(() => child.kill('SIGKILL'));
	const holder = await waitFor('the lock', () => lockHolder(path), { timeoutMs: 5_000, everyMs: 5 });
	const listed = { pid: holder.pid, device: 0n };
	assert.deepEqual(await holderOf(listed, await stat(path, { bigint: true })), holder);
	assert.equal(await holderOf(listed, await stat(other, { bigint: true })), undefined);
});
