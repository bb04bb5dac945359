import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { LayoutExport } from '../../movers/mount-mover/layout/layout-export.ts';
import { openPrivateFile } from '../../movers/mount-mover/layout/private-file.ts';
import { nbdUri } from '../../nbd/protocol/uri.ts';
import { NbdExports } from '../../nbd/server/export.ts';
import { serveNbd } from '../../nbd/server/server.ts';
import { systemClock } from '../../system/clock.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { MemoryExport } from '../equipment/memory-export.ts';

const run = promisify(execFile);
const mebibyte = 2 ** 20;

/** As a volume lies: metadata that is written, a header, a disk, more metadata in the same private file. */
async function volume(t: TestContext) {
	const directory = await temporaryDirectory(t);
	const path = join(directory, 'metadata');
	await writeFile(path, Buffer.alloc(8 * mebibyte, 'metadata '));
	const file = await openPrivateFile(path, systemClock);
	const disk = new MemoryExport('disk0', Buffer.alloc(2 * mebibyte, 'of the disk '));
	disk.bytes.fill(0, 512 * 1024, 1536 * 1024);
	const original = Buffer.from(disk.bytes);
	const refused: { export: string; offset: number; length: number }[] = [];
	const layout = new LayoutExport({
		name: 'volume',
		description: 'metadata around a disk',
		segments: [
			{ kind: 'file', file, offsetBytes: 0, sizeBytes: 4 * mebibyte },
			{ kind: 'bytes', bytes: Buffer.alloc(mebibyte, 'header ') },
			{ kind: 'disk', disk, offsetBytes: 0, sizeBytes: 2 * mebibyte },
			{ kind: 'zeroes', sizeBytes: mebibyte },
			{ kind: 'file', file, offsetBytes: 4 * mebibyte, sizeBytes: 4 * mebibyte },
		],
		onWriteRefused: write => refused.push(write),
	});
	const socket = join(directory, 'nbd.sock');
	const server = await serveNbd(socket, new NbdExports([layout]));
	t.after(async () => {
		await server.close();
		await file.close();
	});
	return { directory, path, disk, original, refused, uri: nbdUri(socket, 'volume') };
}

const io = async (uri: string, ...commands: string[]) =>
	(await run('qemu-io', ['-f', 'raw', '-t', 'writeback', ...commands.flatMap(one => ['-c', one]), uri])).stdout;

test('nbdinfo sees a layout with a private file as writable, with flush and FUA and without trim', async t => {
	const { uri } = await volume(t);
	const { stdout } = await run('nbdinfo', ['--json', uri]);
	for (const fact of [
		'"is_read_only":false',
		'"can_flush":true',
		'"can_fua":true',
		'"can_trim":false',
		'"can_zero":false',
	])
		assert.ok(stdout.replaceAll(': ', ':').includes(fact), `${fact} in ${stdout}`);
	const map = JSON.parse((await run('nbdinfo', ['--map', '--json', uri])).stdout) as { length: number; type: number }[];
	assert.deepEqual(
		map.map(({ length, type }) => [length / mebibyte, type]),
		[
			[5.5, 0],
			[1, 3],
			[0.5, 0],
			[1, 3],
			[4, 0],
		],
	);
});

test('qemu-io writes, flushes and reads back inside the private file, FUA and pieces of 8 MiB included', async t => {
	const { uri, path, disk, original, refused } = await volume(t);
	const before = await readFile(path);
	const said = await io(
		uri,
		'write -P 0x11 1000 5000',
		'write -f -P 0x22 4190208 4096',
		'write -P 0x33 8M 4M',
		'flush',
		'read -P 0x11 1000 5000',
		'read -P 0x33 8M 4M',
	);
	assert.doesNotMatch(said, /failed|Pattern/);
	const metadata = await readFile(path);
	assert.ok(metadata.subarray(1000, 6000).every(byte => byte === 0x11));
	assert.ok(metadata.subarray(4190208, 4 * mebibyte).every(byte => byte === 0x22));
	assert.ok(metadata.subarray(4 * mebibyte).every(byte => byte === 0x33));
	assert.ok(metadata.subarray(6000, 4190208).equals(before.subarray(6000, 4190208)));
	assert.ok(disk.bytes.equals(original));
	assert.deepEqual(refused, []);
});

test('qemu-io gets EPERM for a write that touches header, disk or padding, and it is told', async t => {
	const { uri, path, disk, original, refused } = await volume(t);
	const before = await readFile(path);
	for (const [command, offset, length] of [
		['write 4M 512', 4 * mebibyte, 512],
		['write 6M 4k', 6 * mebibyte, 4096],
		['write 7340032 512', 7 * mebibyte, 512],
		['write 4193792 1024', 4 * mebibyte - 512, 1024],
	] as const) {
		await assert.rejects(io(uri, command), ({ stdout }) => /Operation not permitted/.test(String(stdout)));
		assert.deepEqual(refused.pop(), { export: 'volume', offset, length });
	}
	assert.ok((await readFile(path)).equals(before));
	assert.ok(disk.bytes.equals(original));
});

test('fio writes at random with flushes and verifies what it wrote, over several requests at once', async t => {
	const { directory, uri } = await volume(t);
	const report = join(directory, 'fio.json');
	await run(
		'fio',
		[
			'--name=write',
			'--ioengine=nbd',
			`--uri=${uri}`,
			'--rw=randwrite',
			'--bsrange=512-32k',
			'--iodepth=16',
			'--size=4M',
			'--fsync=8',
			'--verify=crc32c',
			'--do_verify=1',
			'--verify_fatal=1',
			'--output-format=json',
			`--output=${report}`,
		],
		{ cwd: directory },
	);
	const { jobs } = JSON.parse(await readFile(report, 'utf8')) as {
		jobs: { error: number; write: { io_bytes: number } }[];
	};
	assert.equal(jobs[0]?.error, 0);
	assert.ok(jobs[0].write.io_bytes >= 4 * mebibyte - 32 * 1024);
});
