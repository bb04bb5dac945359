import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { temporaryDirectory } from '../equipment/captive.ts';
import { lineOf, rouse, startRouse } from '../equipment/command-line.ts';

const run = promisify(execFile);
const mebibyte = 2 ** 20;
/** No whole sectors; with them a multiple of 4 KiB, since 7-Zip 26 opens no other VHDX, QEMU's own included. */
const sizeBytes = 41 * mebibyte - 77;

async function served(t: TestContext) {
	const directory = await temporaryDirectory(t);
	const home = join(directory, 'home');
	const raw = join(directory, 'disk.raw');
	const content = Buffer.alloc(sizeBytes);
	for (const at of [0, 20 * mebibyte, sizeBytes - 700_000]) randomBytes(700_000).copy(content, at);
	await writeFile(raw, content);
	for (const args of [
		['repo', 'init', join(directory, 'main')],
		['backup', 'import', raw, '--machine', 'web01'],
	]) {
		const ended = await rouse(home, args);
		assert.equal(ended.exitCode, 0, ended.stderr);
	}
	const socket = join(directory, 'nbd.sock');
	const order = ['nbd', 'serve', 'web01@latest', '--socket', socket, '--format', 'vhdx', '--json'];
	const serve = async () => {
		const command = startRouse(t, home, order);
		const listening: { uri: string; exports: { name: string; sizeBytes: number }[] } = JSON.parse(
			await lineOf(command, /"listening"/),
		);
		return { command, ...listening };
	};
	return { directory, raw, content, serve };
}

test('a disk served as a VHDX is copied by nbdcopy, and 7-Zip, qemu-img and vhdiinfo find the disk in it', async t => {
	const { directory, raw, content, serve } = await served(t);
	const { uri, exports } = await serve();
	assert.deepEqual(exports, [{ name: 'disk0.vhdx', uri, sizeBytes: 68 * mebibyte }]);
	const copy = join(directory, 'copy.vhdx');
	await run('nbdcopy', [uri, copy]);
	await run('qemu-img', ['compare', '-f', 'raw', '-F', 'vhdx', raw, copy]);
	await run('qemu-img', ['check', '-f', 'vhdx', copy]);
	const info = await run('vhdiinfo', [copy]);
	assert.match(info.stdout, /Disk type\s*: Fixed\n\s*Media size\s*: .*\(42991616 bytes\)/);
	await run('7zz', ['x', `-o${join(directory, 'extracted')}`, copy]);
	const extracted = await readFile(join(directory, 'extracted', 'copy.img'));
	assert.equal(extracted.length, 41 * mebibyte);
	assert.ok(extracted.subarray(0, sizeBytes).equals(content));
	assert.ok(extracted.subarray(sizeBytes).every(byte => byte === 0));
});

test('zeros of a disk served as a VHDX are told as such: nbdinfo --map, and a sparse copy', async t => {
	const { directory, serve } = await served(t);
	const { uri } = await serve();
	const map: { offset: number; length: number; type: number }[] = JSON.parse(
		(await run('nbdinfo', ['--map', '--json', uri])).stdout,
	);
	let position = 0;
	for (const { offset, length } of map) {
		assert.equal(offset, position);
		position += length;
	}
	assert.equal(position, 68 * mebibyte);
	const zeroBytes = map.filter(({ type }) => type === 3).reduce((sum, { length }) => sum + length, 0);
	assert.ok(zeroBytes > 60 * mebibyte, `${zeroBytes} bytes are told to be zeros`);
	// The header is no hole, and neither is the end of the disk, which padding follows.
	assert.equal(map[0]?.type, 0);
	assert.equal(map.at(-1)?.type, 3);
	const copy = join(directory, 'copy.vhdx');
	await run('nbdcopy', [uri, copy]);
	assert.ok((await stat(copy)).blocks * 512 < 6 * mebibyte);
});

test('each serving of a VHDX has ids of its own, and its disk is the same', async t => {
	const { directory, serve } = await served(t);
	const headers: Buffer[] = [];
	for (const name of ['one.vhdx', 'other.vhdx']) {
		const { command, uri } = await serve();
		await run('nbdcopy', [uri, join(directory, name)]);
		command.child.kill('SIGINT');
		assert.equal((await command.ended).exitCode, 0);
		headers.push((await readFile(join(directory, name))).subarray(0, 4 * mebibyte));
	}
	await run('qemu-img', [
		'compare',
		'-f',
		'vhdx',
		'-F',
		'vhdx',
		join(directory, 'one.vhdx'),
		join(directory, 'other.vhdx'),
	]);
	assert.ok(!headers[0]?.equals(headers[1] ?? Buffer.alloc(0)));
});

test('nothing can be written through a VHDX that is served', async t => {
	const { serve } = await served(t);
	const { uri } = await serve();
	assert.match((await run('nbdinfo', ['--json', uri])).stdout, /"is_read_only": ?true/);
	const io = await run('qemu-io', ['-f', 'raw', '-c', 'write 0 512', uri]).catch((error: unknown) => error);
	assert.ok(io instanceof Error);
	assert.match(io.message, /Permission denied/);
});
