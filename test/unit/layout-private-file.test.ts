import assert from 'node:assert/strict';
import { type FileHandle, open, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { LayoutExport } from '../../movers/mount-mover/layout/layout-export.ts';
import { openPrivateFile, PrivateFile } from '../../movers/mount-mover/layout/private-file.ts';
import { NBD_ERROR } from '../../nbd/protocol/constants.ts';
import { systemClock } from '../../system/clock.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { layoutFlush, layoutRead, layoutWrite } from '../equipment/layout-calls.ts';

async function bench(t: TestContext) {
	const path = join(await temporaryDirectory(t), 'metadata');
	await writeFile(path, Buffer.alloc(8192, 'before '));
	const handle = await open(path, 'r+');
	const file = new PrivateFile(path, handle, systemClock);
	t.after(() => file.close());
	const layout = new LayoutExport({
		name: 'volume',
		description: '',
		segments: [
			{ kind: 'file', file, offsetBytes: 4096, sizeBytes: 4096 },
			{ kind: 'zeroes', sizeBytes: 4096 },
		],
	});
	assert.ok(layout.writer);
	return { path, handle, layout, writer: layout.writer, calls: noteCalls(t, handle) };
}

/** Notes the system calls of writing when they have ended; those in `failing` fail instead. */
function noteCalls(t: TestContext, handle: FileHandle) {
	const ended: string[] = [];
	const failing = new Set<string>();
	const noted = async <T>(name: string, real: () => Promise<T>) => {
		if (failing.has(name)) throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
		const result = await real();
		ended.push(name);
		return result;
	};
	const write = handle.write.bind(handle);
	const datasync = handle.datasync.bind(handle);
	t.mock.method(handle, 'write', (bytes: Uint8Array, from: number, length: number, at: number) =>
		noted('write', () => write(bytes, from, length, at)),
	);
	t.mock.method(handle, 'datasync', () => noted('datasync', datasync));
	return { ended, failing };
}

test('a write of a layout is in its file when it is answered, and with FUA flushed as well', async t => {
	const { path, writer, calls } = await bench(t);
	assert.equal(await layoutWrite(writer, 10, Buffer.from('written'), false), undefined);
	assert.deepEqual(calls.ended, ['write']);
	assert.equal((await readFile(path)).toString('latin1', 4096 + 10, 4096 + 17), 'written');
	assert.equal(await layoutWrite(writer, 100, Buffer.from('durable'), true), undefined);
	assert.deepEqual(calls.ended, ['write', 'write', 'datasync']);
});

test('flushes are one at a time, and those that come meanwhile share the next', async t => {
	const { writer, calls } = await bench(t);
	await Promise.all([1, 2, 3, 4].map(async () => assert.equal(await layoutFlush(writer), undefined)));
	assert.deepEqual(calls.ended, ['datasync', 'datasync']);
});

for (const failing of ['write', 'datasync'])
	test(`after an error of ${failing} nothing is written or flushed any more, and reads go on`, async t => {
		const { path, layout, writer, calls } = await bench(t);
		calls.failing.add(failing);
		const failed = await layoutWrite(writer, 0, Buffer.from('first'), true);
		assert.equal(failed?.errno, NBD_ERROR.EIO);
		assert.match(failed.message, /metadata.*EIO/);
		calls.failing.clear();
		const before = await readFile(path);
		assert.equal((await layoutWrite(writer, 50, Buffer.from('second'), false))?.errno, NBD_ERROR.EIO);
		assert.equal((await layoutFlush(writer))?.errno, NBD_ERROR.EIO);
		assert.ok((await readFile(path)).equals(before));
		assert.ok((await layoutRead(layout, 0, 4096)).equals(before.subarray(4096)));
	});

test('a file system that is full is told as such', async t => {
	const full = await openPrivateFile('/dev/full', systemClock);
	t.after(() => full.close());
	const segments = [{ kind: 'file' as const, file: full, offsetBytes: 0, sizeBytes: 4096 }];
	const { writer } = new LayoutExport({ name: 'volume', description: '', segments });
	assert.ok(writer);
	assert.equal((await layoutWrite(writer, 0, Buffer.alloc(512), false))?.errno, NBD_ERROR.ENOSPC);
	assert.equal(full.failure?.code, 'space_short');
});

test('`openPrivateFile` follows no link', async t => {
	const directory = await temporaryDirectory(t);
	await writeFile(join(directory, 'other'), 'x');
	await symlink('other', join(directory, 'metadata'));
	await assert.rejects(openPrivateFile(join(directory, 'metadata'), systemClock), { code: 'io_failed' });
});

test('`LayoutExport` refuses segments that are empty or beyond their disk', () => {
	const disk = new LayoutExport({ name: 'disk0', description: '', segments: [{ kind: 'zeroes', sizeBytes: 4096 }] });
	for (const segment of [
		{ kind: 'zeroes', sizeBytes: 0 },
		{ kind: 'disk', disk, offsetBytes: 1, sizeBytes: 4096 },
		{ kind: 'disk', disk, offsetBytes: -1, sizeBytes: 10 },
	] as const)
		assert.throws(() => new LayoutExport({ name: 'volume', description: '', segments: [segment] }), {
			code: 'input_invalid',
		});
});
