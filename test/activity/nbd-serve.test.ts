import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { temporaryDirectory } from '../equipment/captive.ts';
import { lineOf, type Running, rouse, startRouse } from '../equipment/command-line.ts';

const run = promisify(execFile);
const mebibyte = 2 ** 20;

interface Served {
	directory: string;
	home: string;
	command: Running;
	socket: string;
	listening: { uri: string; exports: { name: string; uri: string; sizeBytes: number }[] };
}

/** A disk with data at both ends and in the middle, and zeros between. */
async function rawDisk(directory: string, sizeBytes: number): Promise<string> {
	const content = Buffer.alloc(sizeBytes);
	for (const at of [0, Math.floor(sizeBytes / 2), sizeBytes - 700_000]) randomBytes(700_000).copy(content, at);
	const path = join(directory, 'disk.raw');
	await writeFile(path, content);
	return path;
}

async function served(t: TestContext, directory: string, ...sources: string[]): Promise<Served> {
	const home = join(directory, 'home');
	const socket = join(directory, 'nbd.sock');
	for (const args of [
		['repo', 'init', join(directory, 'main')],
		['backup', 'import', ...sources, '--machine', 'web01'],
	]) {
		const ended = await rouse(home, args);
		assert.equal(ended.exitCode, 0, ended.stderr);
	}
	const command = startRouse(t, home, ['nbd', 'serve', 'web01@latest', '--socket', socket, '--json']);
	const listening = JSON.parse(await lineOf(command, /"listening"/));
	return { directory, home, command, socket, listening };
}

for (const [format, options] of [
	['qcow2', ['-c']],
	['vmdk', ['-o', 'subformat=streamOptimized']],
	['vhdx', []],
	['vpc', ['-o', 'force_size=on']],
] as const)
	test(`a disk imported from ${format} is served as its source has it`, async t => {
		const directory = await temporaryDirectory(t);
		const raw = await rawDisk(directory, 24 * mebibyte);
		const image = join(directory, 'image');
		await run('qemu-img', ['convert', '-O', format, ...options, raw, image]);
		const { listening } = await served(t, directory, image);
		assert.equal(listening.uri, listening.exports[0]?.uri);
		await run('qemu-img', ['compare', '-f', format, '-F', 'raw', image, listening.uri]);
	});

test('a disk of an odd size is served to the byte: nbdinfo, nbdcopy, qemu-io and the source agree', async t => {
	const directory = await temporaryDirectory(t);
	const sizeBytes = 10 * mebibyte + 333;
	const raw = await rawDisk(directory, sizeBytes);
	const { listening } = await served(t, directory, raw);
	assert.equal((await run('nbdinfo', ['--size', listening.uri])).stdout.trim(), String(sizeBytes));
	const map = JSON.parse((await run('nbdinfo', ['--map', '--json', listening.uri])).stdout) as {
		length: number;
		type: number;
	}[];
	assert.equal(
		map.reduce((sum, { length }) => sum + length, 0),
		sizeBytes,
	);
	assert.ok(map.some(({ type }) => (type & 2) !== 0));
	const copy = join(directory, 'copy.raw');
	await run('nbdcopy', [listening.uri, copy]);
	assert.ok((await readFile(copy)).equals(await readFile(raw)));
	// The last sector, which the source has only a part of, reads with zeros behind it in QEMU.
	const io = await run('qemu-io', ['-r', '-f', 'raw', '-c', `read -P 0 ${sizeBytes} 179`, listening.uri]);
	assert.match(io.stdout, /^read 179\/179/);
});

test('many clients read at random at once, and every block is that of the source', async t => {
	const directory = await temporaryDirectory(t);
	const raw = await rawDisk(directory, 16 * mebibyte);
	const { listening } = await served(t, directory, raw);
	const report = join(directory, 'fio.json'); // standard output has the engine's talk as well
	const job = [
		'--name=read',
		'--ioengine=nbd',
		`--uri=${listening.uri}`,
		'--rw=randread',
		'--bs=4k',
		'--iodepth=16',
		'--numjobs=3',
		'--size=16M',
		'--number_ios=2000',
		'--output-format=json',
		`--output=${report}`,
	];
	await Promise.all([
		run('fio', job, { cwd: directory }),
		run('qemu-img', ['compare', '-f', 'raw', '-F', 'raw', raw, listening.uri]),
		run('qemu-img', ['compare', '-f', 'raw', '-F', 'raw', raw, listening.uri]),
	]);
	const { jobs } = JSON.parse(await readFile(report, 'utf8')) as {
		jobs: { error: number; read: { total_ios: number } }[];
	};
	for (const { error, read } of jobs) assert.deepEqual([error, read.total_ios], [0, 2000]);
});

test('several disks are several exports, and the one without a name is the first', async t => {
	const directory = await temporaryDirectory(t);
	const raw = await rawDisk(directory, 8 * mebibyte);
	const blank = join(directory, 'blank.raw');
	await writeFile(blank, '');
	await truncate(blank, 3 * 2 ** 40); // all zero, and larger than any number of 32 bits
	const { listening, socket } = await served(t, directory, raw, blank);
	assert.deepEqual(
		listening.exports.map(({ name, sizeBytes }) => [name, sizeBytes]),
		[
			['disk0', 8 * mebibyte],
			['disk1', 3 * 2 ** 40],
		],
	);
	const sizeOf = async (uri: string) => Number((await run('nbdinfo', ['--size', uri])).stdout);
	assert.equal(await sizeOf(`nbd+unix:///?socket=${socket}`), 8 * mebibyte);
	assert.equal(await sizeOf(`nbd+unix:///disk1?socket=${socket}`), 3 * 2 ** 40);
	const all = JSON.parse((await run('nbdinfo', ['--list', '--json', `nbd+unix:///?socket=${socket}`])).stdout);
	assert.deepEqual(
		all.exports.map((one: Record<string, unknown>) => one['export-name']),
		['disk0', 'disk1'],
	);
});

test('nothing can be written through it', async t => {
	const directory = await temporaryDirectory(t);
	const { listening } = await served(t, directory, await rawDisk(directory, 4 * mebibyte));
	const io = await run('qemu-io', ['-f', 'raw', '-c', 'write 0 512', listening.uri]).catch((error: unknown) => error);
	assert.ok(io instanceof Error);
	assert.match(io.message, /Permission denied/);
});

test('Ctrl-C ends it with exit code 0 and takes the socket away', async t => {
	const directory = await temporaryDirectory(t);
	const { command, socket } = await served(t, directory, await rawDisk(directory, 4 * mebibyte));
	command.child.kill('SIGINT');
	const { exitCode, stderr } = await command.ended;
	assert.deepEqual([exitCode, stderr], [0, '']);
	await assert.rejects(stat(socket), { code: 'ENOENT' });
});

test('a path that is taken is left alone', async t => {
	const directory = await temporaryDirectory(t);
	const raw = await rawDisk(directory, 4 * mebibyte);
	const { home, socket, command } = await served(t, directory, raw);
	const again = (path: string) => rouse(home, ['nbd', 'serve', 'web01', '--socket', path, '--json']);
	const busy = await again(socket);
	assert.deepEqual([busy.exitCode, JSON.parse(busy.stderr).code], [6, 'lock_held']);
	const file = await again(raw);
	assert.deepEqual([file.exitCode, JSON.parse(file.stderr).code], [2, 'usage']);
	assert.equal((await stat(raw)).size, 4 * mebibyte);
	assert.equal((await again(join(directory, 'x'.repeat(108)))).exitCode, 2);
	// The socket of a server that was killed is in nobody's use.
	command.child.kill('SIGKILL');
	await command.ended;
	const next = startRouse(t, home, ['nbd', 'serve', 'web01', '--socket', socket, '--json']);
	await lineOf(next, /"listening"/);
});
