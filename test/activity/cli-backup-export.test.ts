import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { rouse, startRouse } from '../equipment/command-line.ts';
import { SmallFileSystem } from '../equipment/small-file-system.ts';

const run = promisify(execFile);
const mebibyte = 2 ** 20;

/** A backup of one disk with data in the middle and at its end, and a directory for what comes out of it. */
async function backup(t: TestContext, { sizeBytes = 41 * mebibyte - 77, dataBytes = mebibyte } = {}) {
	const directory = await temporaryDirectory(t);
	const home = join(directory, 'home');
	const repository = join(directory, 'main');
	const raw = join(directory, 'disk.raw');
	const content = Buffer.alloc(sizeBytes);
	for (const at of [5 * mebibyte + 1000, sizeBytes - dataBytes]) randomBytes(dataBytes).copy(content, at);
	await writeFile(raw, content);
	for (const args of [
		['repo', 'init', repository],
		['backup', 'import', raw, '--machine', 'web01'],
	]) {
		const ended = await rouse(home, args);
		assert.equal(ended.exitCode, 0, ended.stderr);
	}
	const out = join(directory, 'out');
	await mkdir(out);
	const exported = async (file: string, ...more: string[]) =>
		await rouse(home, ['backup', 'export', 'web01@latest', '--to', join(out, file), ...more, '--json']);
	return { home, repository, raw, content, out, exported };
}

for (const [format, file] of [
	['raw', 'disk.img'],
	['qcow2', 'disk.qcow2'],
	['vhdx', 'disk.vhdx'],
] as const)
	test(`an export as ${format}, which the ending says, is the disk, sparse and for its owner alone`, async t => {
		const { raw, out, exported } = await backup(t);
		const { exitCode, stdout, stderr } = await exported(file);
		assert.equal(exitCode, 0, stderr);
		const path = join(out, file);
		assert.partialDeepStrictEqual(JSON.parse(stdout), { disk: 0, path, format, sizeBytes: 41 * mebibyte - 77 });
		await run('qemu-img', ['compare', '-f', 'raw', '-F', format, raw, path]);
		if (format !== 'raw') await run('qemu-img', ['check', '-f', format, path]);
		const { mode, blocks } = await stat(path);
		assert.equal(mode & 0o777, 0o600);
		assert.ok(blocks * 512 < 6 * mebibyte, `${blocks * 512} bytes on disk`);
		assert.deepEqual(await readdir(out), [file]);
	});

test('`--format` counts more than the ending', async t => {
	const { raw, out, exported } = await backup(t);
	assert.equal((await exported('disk.raw', '--format', 'qcow2')).exitCode, 0);
	assert.equal((await exported('disk.qcow2', '--format', 'raw')).exitCode, 0);
	await run('qemu-img', ['compare', '-f', 'qcow2', '-F', 'raw', join(out, 'disk.raw'), raw]);
	assert.ok((await readFile(join(out, 'disk.qcow2'))).equals(await readFile(raw)));
});

for (const format of ['qcow2', 'vhdx'])
	test(`an export as ${format} never overwrites a file`, async t => {
		const { out, exported } = await backup(t);
		await writeFile(join(out, 'disk'), 'mine');
		const { exitCode, stderr } = await exported('disk', '--format', format);
		assert.deepEqual([exitCode, JSON.parse(stderr).code], [6, 'name_conflict']);
		assert.equal(await readFile(join(out, 'disk'), 'utf8'), 'mine');
	});

test('an export to a path that cannot be says so in words, and what to do', async t => {
	const { out, exported } = await backup(t, { sizeBytes: mebibyte });
	await writeFile(join(out, 'file'), '');
	for (const [file, what] of [
		['none/disk.raw', /cannot write \S+none\/disk.raw: there is no \S+\/none$/],
		['file/disk.raw', /cannot write \S+: there is no \S+: a part of this path is no directory$/],
		[`${'a'.repeat(250)}.raw`, /cannot write \S+: \S+a.raw: this name is too long for its file system$/],
		[`${'a'.repeat(300)}.raw`, /cannot write \S+: \S+a.raw: this name is too long for its file system$/],
	] as const) {
		const { exitCode, stderr } = await exported(file);
		const { code, message, hint } = JSON.parse(stderr) as Record<string, string>;
		assert.deepEqual([exitCode, code], [1, 'io_failed'], stderr);
		assert.match(message ?? '', what);
		assert.ok(hint, message);
	}
	assert.deepEqual(await readdir(out), ['file']);
});

test('an export of a damaged chunk fails in every format with what is damaged, and leaves nothing', async t => {
	const { repository, out, exported } = await backup(t);
	await damageData(repository);
	const errors: { code: string; message: string; exitCode: number }[] = [];
	for (const format of ['raw', 'qcow2', 'vhdx']) {
		const { exitCode, stderr } = await exported('disk', '--format', format);
		const { code, message } = JSON.parse(stderr);
		errors.push({ code, message, exitCode: exitCode ?? 0 });
	}
	assert.partialDeepStrictEqual(errors[0], { code: 'chunk_bad', exitCode: 9 });
	assert.deepEqual(errors[1], errors[0]);
	assert.deepEqual(errors[2], errors[0]);
	assert.deepEqual(await readdir(out), []);
});

/** One byte of the first chunk in the largest pack. */
async function damageData(repository: string): Promise<void> {
	const entries = await readdir(join(repository, 'packs'), { recursive: true, withFileTypes: true });
	const packs = entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name));
	const sizes = await Promise.all(packs.map(async pack => (await stat(pack)).size));
	const file = await open(packs[sizes.indexOf(Math.max(...sizes))] ?? '', 'r+');
	try {
		const { buffer } = await file.read(Buffer.alloc(1), 0, 1, 1000);
		await file.write(Buffer.from([buffer.readUInt8(0) ^ 1]), 0, 1, 1000);
	} finally {
		await file.close();
	}
}

for (const format of ['qcow2', 'vhdx'])
	test(`an export as ${format} that finds no room says so and leaves nothing`, async t => {
		const { home } = await backup(t, { dataBytes: 16 * mebibyte });
		const { directory } = await SmallFileSystem.create(t, { sizeMiB: 24 });
		const path = join(directory, 'disk');
		const ended = await rouse(home, ['backup', 'export', 'web01', '--to', path, '--format', format, '--json']);
		assert.equal(JSON.parse(ended.stderr).code, 'space_short', ended.stderr);
		assert.deepEqual(await readdir(directory), ['lost+found']);
	});

test('an export as qcow2 without qemu-img says what is missing', async t => {
	const { home, out } = await backup(t);
	const args = ['backup', 'export', 'web01', '--to', join(out, 'disk.qcow2'), '--json'];
	const { stderr } = await startRouse(t, home, args, { PATH: out }).ended;
	assert.partialDeepStrictEqual(JSON.parse(stderr), { code: 'tool_missing', hint: 'apt-get install qemu-utils' });
	assert.deepEqual(await readdir(out), []);
});

test('Ctrl-C ends an export as qcow2 with exit code 130, and nothing is left', async t => {
	const { home, out } = await backup(t, { sizeBytes: 400 * mebibyte, dataBytes: 128 * mebibyte });
	const temporary = join(out, '..', 'tmp');
	await mkdir(temporary);
	const args = ['backup', 'export', 'web01', '--to', join(out, 'disk.qcow2')];
	const command = startRouse(t, home, args, { TMPDIR: temporary });
	const begun = async () => (await readdir(out)).length > 0 && (await readdir(temporary)).length > 0;
	await waitFor('the export to begin', begun, { timeoutMs: 20_000, everyMs: 10 });
	command.child.kill('SIGINT');
	assert.equal((await command.ended).exitCode, 130);
	assert.deepEqual([await readdir(out), await readdir(temporary)], [[], []]);
});
