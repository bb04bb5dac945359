import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile, readdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { boundLog, boundLogs, olderLog } from '../../system/bounded-log.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

test('`boundLogs` sets aside the newest of a log that is too long, once, and leaves others alone', async t => {
	const directory = await temporaryDirectory(t);
	const path = join(directory, 'machine.log');
	await writeFile(path, `${'x'.repeat(5_000)}end`);
	await writeFile(join(directory, 'short.log'), 'y'.repeat(1_000));
	await writeFile(join(directory, 'disk0.raw'), 'z'.repeat(5_000));
	for (let time = 0; time < 2; time++) await boundLogs(directory, 1_000);
	assert.deepEqual((await readdir(directory)).toSorted(), ['disk0.raw', 'machine.log', 'machine.log.1', 'short.log']);
	assert.equal(await readFile(olderLog(path), 'utf8'), `${'x'.repeat(997)}end`);
	assert.equal((await stat(path)).size, 0);
	assert.equal((await stat(join(directory, 'disk0.raw'))).size, 5_000);
	await boundLogs(join(directory, 'none'));
});

test('`boundLog` leaves a log that is no file as it is', async t => {
	const path = join(await temporaryDirectory(t), 'supervisor.log');
	await symlink('/dev/full', path);
	await boundLog(path, 0);
});

test('a process that appends writes on at the new end of its log', async t => {
	const path = join(await temporaryDirectory(t), 'machine.log');
	const log = await open(path, 'a');
	const writer = spawn('sh', ['-c', 'while :; do echo "a line of the guest"; done'], {
		stdio: ['ignore', log.fd, log.fd],
	});
	const ended = once(writer, 'exit');
	t.after(async () => {
		writer.kill('SIGKILL');
		await ended;
	});
	await log.close();
	for (let time = 0; time < 5; time++) {
		await waitFor('a long log', async () => (await stat(path)).size > 50_000, { timeoutMs: 20_000, everyMs: 1 });
		await boundLog(path, 50_000);
		assert.ok((await stat(olderLog(path))).size >= 50_000);
	}
	await waitFor('a line after that', async () => (await stat(path)).size > 0, { timeoutMs: 20_000 });
	const { size, blocks } = await stat(path);
	assert.ok(blocks * 512 >= size, 'it has a hole where the old lines were');
	assert.match(await readFile(path, 'utf8'), /^[^\0]/);
});
