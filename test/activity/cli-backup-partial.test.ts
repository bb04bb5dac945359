import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { temporaryDirectory } from '../equipment/captive.ts';
import { waitFor } from '../../system/wait.ts';
import { rouse, startRouse } from '../equipment/command-line.ts';

const run = promisify(execFile);
const mebibyte = 2 ** 20;

test('`--partial` takes what is there of a cut image, and everybody who asks for the point is told', async t => {
	const directory = await temporaryDirectory(t);
	const home = join(directory, 'home');
	const asked = async (args: readonly string[], exitCode = 0) => {
		const ended = await rouse(home, [...args]);
		assert.equal(ended.exitCode, exitCode, ended.stderr);
		return ended;
	};
	await asked(['repo', 'init', join(directory, 'main')]);
	const content = Buffer.alloc(4 * mebibyte);
	randomBytes(2 * mebibyte).copy(content, mebibyte);
	const path = join(directory, 'disk.raw');
	await writeFile(path, content);
	const image = join(directory, 'disk.qcow2');
	await run('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', path, image]);
	await truncate(image, (await stat(image)).size - mebibyte);
	const importing = ['backup', 'import', image, '--machine', 'web01'];
	assert.match((await asked(importing, 1)).stderr, /cut short[^]*--partial/);
	const made = JSON.parse((await asked([...importing, '--partial', '--json'])).stdout);
	const missing = { atBytes: 2 * mebibyte, lengthBytes: mebibyte };
	assert.deepEqual(made.disks, [{ sizeBytes: 4 * mebibyte, missing }]);
	const warning = /disk0 is only a part: of 4\.00 MiB 1\.00 MiB are missing, from offset 2097152 on, and read as zeros/;
	const out = join(directory, 'out.raw');
	for (const asking of [
		[...importing, '--partial', '--at', '2026-01-01T00:00:00Z'],
		['backup', 'list'],
		['backup', 'show', 'web01@latest'],
		['backup', 'verify', 'web01@latest'],
		['backup', 'export', 'web01@latest', '--to', out],
	]) {
		assert.match((await asked(asking)).stderr, warning, asking.join(' '));
	}
	const serving = startRouse(t, home, ['nbd', 'serve', 'web01@latest', '--socket', join(directory, 'nbd.sock')]);
	await waitFor('it to serve', async () => existsSync(join(directory, 'nbd.sock')), { timeoutMs: 20_000 });
	serving.child.kill('SIGINT');
	assert.match((await serving.ended).stderr, warning);
	assert.ok((await readFile(out)).equals(content.fill(0, missing.atBytes, missing.atBytes + missing.lengthBytes)));
});
