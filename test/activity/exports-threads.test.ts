import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, open, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { writeDisk } from '../../exports/disk-into-file.ts';
import { exportRaw } from '../../exports/raw.ts';
import { exportVhdx } from '../../exports/vhdx.ts';
import type { ChunkSource } from '../../repository/chunk-source.ts';
import { CopyThreads } from '../../repository/copy/copy-threads.ts';
import { DirectChunkSource } from '../../repository/direct-chunk-source.ts';
import { DiskReader } from '../../repository/disk-reader.ts';
import { openRepository } from '../../repository/repository.ts';
import { VerifiedChunks } from '../../repository/verified-chunks.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { SmallFileSystem } from '../equipment/small-file-system.ts';
import { damagePack, sampleDisk, storeDisk } from '../equipment/stored-disk.ts';

const run = promisify(execFile);
const MiB = 1024 * 1024;

async function bench(t: TestContext, sizeBytes = 9 * MiB + 77) {
	const directory = await temporaryDirectory(t);
	const stored = await storeDisk(join(directory, 'repository'), sampleDisk(sizeBytes));
	const { store } = await openRepository(stored.directory);
	const entry = new URL('../../exports/copy-thread.ts', import.meta.url);
	const threads = new CopyThreads({ entry, setup: { repository: stored.directory } });
	t.after(async () => {
		await threads.close();
		await store.close();
	});
	const direct = new DirectChunkSource(store);
	let fetched = 0;
	const counting: ChunkSource = {
		async *fetch(refs, options) {
			for await (const chunk of direct.fetch(refs, options)) {
				fetched += 1;
				yield chunk;
			}
		},
		close: () => store.close(),
	};
	const chunks = new VerifiedChunks(counting);
	return { directory, stored, chunks, options: { threads: { threads, aboveBytes: 0 } }, fetched: () => fetched };
}

test('a raw export by threads has every byte, and tells how far it is', async t => {
	const { directory, stored, chunks, options, fetched } = await bench(t);
	const path = join(directory, 'disk.raw');
	const told: number[] = [];
	await exportRaw(chunks, stored.image, path, { ...options, progress: ({ doneBytes }) => told.push(doneBytes) });
	assert.equal((await readFile(path)).compare(stored.bytes), 0);
	assert.ok(fetched() <= 2, `${fetched()} chunks fetched beside the threads: pages alone`);
	assert.deepEqual(
		told,
		told.toSorted((a, b) => a - b),
	);
	assert.equal(told.at(-1), stored.bytes.length);
});

test('a VHDX by threads holds the same disk as a raw file', async t => {
	const { directory, stored, chunks, options, fetched } = await bench(t);
	const [raw, vhdx] = [join(directory, 'disk.raw'), join(directory, 'disk.vhdx')];
	await exportRaw(chunks, stored.image, raw);
	const before = fetched();
	await exportVhdx(chunks, stored.image, vhdx, {
		...options,
		sectors: { logicalSectorBytes: 512, physicalSectorBytes: 4096 },
	});
	assert.ok(fetched() - before <= 4, `${fetched() - before} chunks fetched beside the threads: pages alone`);
	await run('qemu-img', ['compare', '-f', 'raw', '-F', 'vhdx', raw, vhdx]);
});

test('a chunk that is bad ends an export by threads with its name, and nothing is left', async t => {
	const { directory, stored, chunks, options } = await bench(t);
	await damagePack(stored, 200_000);
	const out = join(directory, 'out');
	await mkdir(out);
	await assert.rejects(exportRaw(chunks, stored.image, join(out, 'disk.raw'), options), { code: 'chunk_bad' });
	assert.deepEqual(await readdir(out), []);
});

test('a file system that fills up under an export by threads is told as that, and nothing is left', async t => {
	const { stored, chunks, options } = await bench(t, 40 * MiB);
	const small = await SmallFileSystem.create(t, { sizeMiB: 24 });
	const before = await readdir(small.directory);
	const path = join(small.directory, 'disk.raw');
	await assert.rejects(exportRaw(chunks, stored.image, path, options), { code: 'space_short' });
	assert.deepEqual(await readdir(small.directory), before);
});

test('an export by threads that is called off settles when they write no more', async t => {
	const { directory, stored, chunks, options } = await bench(t, 40 * MiB);
	const abort = new AbortController();
	const path = join(directory, 'disk.raw');
	const reason = new Error('enough');
	const progress = () => abort.abort(reason);
	await assert.rejects(exportRaw(chunks, stored.image, path, { ...options, signal: abort.signal, progress }), reason);
	await assert.rejects(stat(path), { code: 'ENOENT' });
	await exportRaw(chunks, stored.image, path, options);
	assert.equal((await readFile(path)).compare(stored.bytes), 0);
});

test('an export fails with the error of a sync that was made while it was written, which the last one would not tell', async t => {
	const directory = await temporaryDirectory(t);
	const stored = await storeDisk(join(directory, 'repository'), Buffer.alloc(65 * MiB, 'the same again and again\n'));
	const { store } = await openRepository(stored.directory);
	t.after(() => store.close());
	const chunks = new VerifiedChunks(new DirectChunkSource(store));
	const file = await open(join(directory, 'disk.raw'), 'wx');
	t.after(() => file.close());
	file.datasync = () => Promise.reject(Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' }));
	const inItsPlace = (fileAtBytes: number, lengthBytes: number) => [{ fileAtBytes, lengthBytes }];
	const reader = new DiskReader(chunks, stored.image, { class: 'migration' });
	await assert.rejects(writeDisk(file, chunks, reader, inItsPlace, {}), { code: 'EIO' });
});
