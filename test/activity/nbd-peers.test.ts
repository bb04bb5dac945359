import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { run, serveDisk, type ServedDisk } from '../equipment/served-disk.ts';
import { sampleDisk } from '../equipment/stored-disk.ts';

const MiB = 1024 * 1024;
const cleanUps: (() => unknown)[] = [];
const lifetime = { after: (cleanUp: () => unknown) => void cleanUps.push(cleanUp) };

describe('a restore point served to the tools that people use', () => {
	/** An odd size, and one that ends with its last chunk. */
	let odd: ServedDisk;
	let even: ServedDisk;

	before(async () => {
		odd = await serveDisk(lifetime, sampleDisk(9 * MiB + 333, 7));
		even = await serveDisk(lifetime, sampleDisk(16 * MiB, 8));
	});

	after(async () => {
		for (const cleanUp of cleanUps.toReversed()) await cleanUp();
	});

	test('nbdinfo lists the export with its exact size, read-only, for several connections', async () => {
		const listed: unknown = JSON.parse(await run('nbdinfo', ['--list', '--json', `nbd+unix:///?socket=${odd.socket}`]));
		const text = JSON.stringify(listed);
		assert.match(text, /"export-name":"disk0"/);
		assert.match(text, /"description":"disk0 of sample"/);
		assert.match(text, new RegExp(`"export-size":${9 * MiB + 333}`));
		assert.match(text, /"is_read_only":true/);
		assert.match(text, /"can_multi_conn":true/);
		assert.match(text, /"can_df":true/);
		assert.match(text, /"block_size_minimum":1,"block_size_preferred":4096,"block_size_maximum":33554432/);
		assert.match(text, /"base:allocation","rouse:restored"/);
	});

	test('the empty name is the first disk', async () => {
		assert.equal((await run('nbdinfo', ['--size', `nbd+unix:///?socket=${odd.socket}`])).trim(), `${9 * MiB + 333}`);
	});

	test('nbdinfo of a name that is not there fails', async () => {
		await assert.rejects(run('nbdinfo', [`nbd+unix:///disk7?socket=${odd.socket}`]), /disk7|export/);
	});

	test('nbdinfo --map covers the disk, and every hole is zero in the original', async () => {
		const extents = await mapOf(odd, 'base:allocation');
		let position = 0;
		for (const { offset, length, type } of extents) {
			assert.equal(offset, position);
			position += length;
			if (type === 3) assert.ok(odd.bytes.subarray(offset, offset + length).every(byte => byte === 0));
		}
		assert.equal(position, odd.bytes.length);
		assert.ok(extents.some(({ type }) => type === 3));
		assert.ok(extents.some(({ type }) => type === 0));
	});

	test('nothing is restored where there is no target', async () => {
		assert.deepEqual(
			(await mapOf(odd, 'rouse:restored')).map(({ length, type }) => ({ length, type })),
			[{ length: 9 * MiB + 333, type: 0 }],
		);
	});

	for (const connections of ['1', '4'])
		test(`nbdcopy over ${connections} connections copies the whole disk`, async () => {
			const copy = join(odd.scratch, `copy-${connections}.raw`);
			await run('nbdcopy', [`--connections=${connections}`, odd.uri, copy]);
			assert.ok(await sameFile(copy, odd.originalPath));
		});

	test('qemu-img compare finds no difference', async () => {
		await run('qemu-img', ['compare', '-f', 'raw', '-F', 'raw', even.uri, even.originalPath]);
	});

	test('qemu-img convert copies data and holes', async () => {
		const copy = join(even.scratch, 'convert.raw');
		await run('qemu-img', ['convert', '-f', 'raw', '-O', 'raw', '-m', '8', '-W', even.uri, copy]);
		assert.ok(await sameFile(copy, even.originalPath));
	});

	test('qemu-io reads what was stored at places of any alignment', async () => {
		const reads = [];
		for (let n = 0; n < 40; n += 1) {
			const offset = (n * 419_431 + 77) % (even.bytes.length - 300_000);
			reads.push({ offset, length: 1 + ((n * 7919) % 290_000) });
		}
		const commands = reads.flatMap(({ offset, length }) => ['-c', `read -v ${offset} ${length}`]);
		const said = await run('qemu-io', ['-r', '-f', 'raw', ...commands, even.uri]);
		const dumps = said.split(/^read \d+\/\d+ bytes at offset \d+\n/m);
		assert.equal(dumps.length, reads.length + 1);
		for (const [n, { offset, length }] of reads.entries())
			assert.ok(bytesOfDump(dumps[n] ?? '').equals(even.bytes.subarray(offset, offset + length)), `read ${n}`);
	});

	test('qemu-io cannot write', async () => {
		await assert.rejects(run('qemu-io', ['-f', 'raw', '-c', 'write 0 4k', even.uri]), /Permission denied/);
	});

	test('fio reads at random with many requests under way', async () => {
		const job = ['--name=r', '--ioengine=nbd', `--uri=${even.uri}`, '--rw=randread', '--bs=4k', '--iodepth=16'];
		const report = await run('fio', [...job, '--size=16m', '--io_size=16m', '--output-format=json']);
		// fio 3.33 says "fio: connected to NBD server" before its JSON.
		const { jobs }: { jobs: { error: number; read: { io_bytes: number } }[] } = JSON.parse(
			report.slice(report.indexOf('{')),
		);
		assert.equal(jobs[0]?.error, 0);
		assert.equal(jobs[0].read.io_bytes, 16 * MiB);
	});

	test('a client that speaks another protocol is dropped, and the others go on', async () => {
		const socket = connect(odd.socket);
		const closed = new Promise<void>(resolve => {
			socket.once('close', () => resolve());
		});
		socket.on('error', () => {});
		socket.resume();
		socket.write('GET / HTTP/1.1\r\n\r\n');
		await closed;
		assert.equal((await run('nbdinfo', ['--size', odd.uri])).trim(), `${9 * MiB + 333}`);
	});
});

async function mapOf(
	{ uri }: ServedDisk,
	context: string,
): Promise<{ offset: number; length: number; type: number }[]> {
	return JSON.parse(await run('nbdinfo', [`--map=${context}`, '--json', uri]));
}

async function sameFile(one: string, other: string): Promise<boolean> {
	return (await readFile(one)).equals(await readFile(other));
}

/** `00000010:  6c 69 6e 65 20 … line …` */
function bytesOfDump(text: string): Buffer {
	const rows = text.matchAll(/^[0-9a-f]{8}: {2}((?:[0-9a-f]{2} )+)/gm);
	return Buffer.from([...rows].map(row => row[1]?.replaceAll(' ', '') ?? '').join(''), 'hex');
}
