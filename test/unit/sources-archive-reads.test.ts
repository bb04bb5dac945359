import assert from 'node:assert/strict';
import { readdir, readlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { keys } from '../../repository/format/keys.ts';
import { importMachine } from '../../repository/import/import-machine.ts';
import { readPoint } from '../../repository/points.ts';
import { type ArchiveSource, openArchiveDisk } from '../../sources/archive/archive-disk.ts';
import { openArchiveFile } from '../../sources/archive/archive-file.ts';
import { gunzipped } from '../../sources/archive/gunzip.ts';
import { waitFor } from '../../system/wait.ts';
import { archiveOf, contentOf, end, header, inPieces, type Layout, padded } from '../equipment/archives.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { collect, importDisks, memoryRepository, noise, wholeSource } from '../equipment/repositories.ts';
import { sampleConfig, sampleDisks } from '../equipment/sample-config.ts';
import { openedArchive } from '../equipment/read-archive.ts';

const never = new AbortController().signal;
const mebibyte = 2 ** 20;

/** Data in the first MiB, over its end, and further on; holes between. */
const layout: Layout = {
	sizeBytes: 5 * mebibyte,
	parts: [
		{ offsetBytes: 65_536, lengthBytes: 8192 },
		{ offsetBytes: mebibyte - 4096, lengthBytes: 8192 },
		{ offsetBytes: 2 * mebibyte, lengthBytes: mebibyte },
		{ offsetBytes: 4 * mebibyte, lengthBytes: 65_536 },
	],
};
const content = contentOf(layout);
const archive = archiveOf('PAX 1.0', layout);

async function readAt(source: ArchiveSource, at: number, lengthBytes: number, signal = never): Promise<void> {
	const into = Buffer.alloc(lengthBytes, 0xaa);
	await source.read(at, into, signal);
	assert.ok(into.equals(content.subarray(at, at + lengthBytes)), `${lengthBytes} bytes at ${at}`);
}

test('reads of an archive may skip, and be asked for at once; the first MiB is at hand at any time', async () => {
	const source = await openedArchive(archive);
	const places = [
		0,
		mebibyte - 5000,
		mebibyte + 50_000,
		1.5 * mebibyte,
		2 * mebibyte + 7,
		2.5 * mebibyte,
		4 * mebibyte - 10,
	];
	await Promise.all(places.map(at => readAt(source, at, 50_000)));
	await readAt(source, 65_000, 500_000);
	await assert.rejects(readAt(source, 2 * mebibyte, 512), { code: 'internal' });
	await source.close();
});

test('extents of an archive, and its first MiB, are known before anything behind that is asked for', async () => {
	let given = 0;
	const pieces = async function* () {
		for await (const piece of inPieces(archive, 4096)) {
			given += piece.length;
			yield piece;
		}
	};
	const source = await openArchiveDisk('a.tar', pieces, never);
	const extents = [];
	for await (const { offsetBytes, kind } of source.extents(never)) if (kind === 'data') extents.push(offsetBytes);
	assert.deepEqual(
		extents,
		layout.parts.map(({ offsetBytes }) => offsetBytes),
	);
	await readAt(source, 0, mebibyte);
	await readAt(source, 3 * mebibyte, 512 * 1024);
	assert.ok(given < 24_000, `${given}`);
	await source.close();
});

/** An archive whose bytes come up to a place, and no further before it is told so. */
function stalling(afterBytes: number) {
	const { promise: gate, resolve: goOn } = Promise.withResolvers<void>();
	const { promise: waits, resolve: onWait } = Promise.withResolvers<void>();
	let hasEnded = false;
	const open = async function* (signal: AbortSignal) {
		const { promise: aborted, reject } = Promise.withResolvers<never>();
		aborted.catch(() => {});
		signal.addEventListener('abort', () => reject(signal.reason));
		try {
			yield archive.subarray(0, afterBytes);
			onWait();
			await Promise.race([gate, aborted]);
			yield archive.subarray(afterBytes);
		} finally {
			hasEnded = true;
		}
	};
	return { open, goOn, waits, hasEnded: () => hasEnded };
}

test('a read that is aborted ends at once and loses no byte for the next one', async () => {
	const { open, goOn, waits } = stalling(100_000);
	const source = await openArchiveDisk('a.tar', open, never);
	const stop = new AbortController();
	const into = Buffer.alloc(100_000);
	const reading = source.read(2_400_000, into, stop.signal);
	const waiting = source.read(2_600_000, Buffer.alloc(1000), stop.signal);
	await waits;
	stop.abort(new Error('enough'));
	await Promise.all([assert.rejects(reading, /enough/), assert.rejects(waiting, /enough/)]);
	into.fill(0x55);
	goOn();
	await readAt(source, 2_800_000, 300_000);
	assert.ok(
		into.every(byte => byte === 0x55),
		'nothing writes into what was given up',
	);
	await source.close();
});

test('`close` ends a read that waits, and what makes the bytes, packed or not', async () => {
	for (const isPacked of [false, true]) {
		const { open, waits, hasEnded } = stalling(100_000);
		const packed = isPacked ? (signal: AbortSignal) => gunzipped(repacked(open(signal)), signal) : open;
		const source = await openArchiveDisk('a.tar', packed, never);
		const reading = source.read(2_900_000, Buffer.alloc(1000), never);
		await waits;
		await Promise.all([
			assert.rejects(reading, { code: 'internal', message: /was closed while/ }),
			source.close(),
			source.close(),
		]);
		assert.ok(hasEnded());
		await assert.rejects(source.read(4 * mebibyte, Buffer.alloc(10), never), { code: 'internal' });
	}
});

/** Each piece as a member of gzip. */
async function* repacked(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
	for await (const piece of pieces) yield gzipSync(piece, { level: 1 });
}

test('an opening that is aborted ends what makes the bytes', async () => {
	const { open, hasEnded } = stalling(1000);
	const stop = new AbortController();
	const opening = openArchiveDisk('a.tar', open, stop.signal);
	stop.abort(new Error('enough'));
	await assert.rejects(opening, /enough/);
	assert.ok(hasEnded());
});

test('`checkUnchanged` reads on to the end, whatever was read before, and tells what is wrong there', async () => {
	const twice = Buffer.concat([archive.subarray(0, -end.length), header('disk.raw', 9), padded(Buffer.alloc(9)), end]);
	for (const [bytes, message] of [
		[twice, /^a\.tar: it has disk\.raw twice$/],
		[archive.subarray(0, -1), /^a\.tar: it is cut short/],
		[archive.subarray(0, -100_000), /^a\.tar: it is cut short/],
	] as const) {
		const source = await openedArchive(bytes);
		await readAt(source, 2 * mebibyte, 1000);
		const failure = { code: 'source_invalid', message };
		await assert.rejects(async () => await source.checkUnchanged(), failure);
		await assert.rejects(async () => await source.checkUnchanged(), failure);
		await source.close();
	}
	const good = await openedArchive(archive);
	await good.checkUnchanged();
	await good.checkUnchanged();
	await good.close();
});

async function archiveFile(t: TestContext, name: string, bytes: Buffer): Promise<string> {
	const path = join(await temporaryDirectory(t), name);
	await writeFile(path, bytes);
	return path;
}

/** Of an archive that was written long enough ago to have one. */
async function settledMoment(path: string): Promise<string> {
	let moment: string | undefined;
	await waitFor(
		'the file to be older than its time tells',
		async () => {
			const source = await openArchiveFile(path, never);
			moment = source?.moment;
			await source?.close();
			return moment !== undefined;
		},
		{ timeoutMs: 10_000 },
	);
	return moment ?? '';
}

async function openFiles(path: string): Promise<number> {
	const links = await Promise.all(
		(await readdir('/proc/self/fd')).map(fd => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
	);
	return links.filter(link => link === path).length;
}

test('`openArchiveFile` knows an archive by its content, says when it was written, and leaves nothing open', async t => {
	for (const [name, bytes] of [
		['image.tar.gz', gzipSync(archive, { level: 1 })],
		['image', archive],
	] as const) {
		const path = await archiveFile(t, name, bytes);
		const moments = await Promise.all([settledMoment(path), settledMoment(path)]);
		assert.equal(moments[0], moments[1]);
		const source = await openArchiveFile(path, never);
		assert.ok(source !== undefined && source.access === 'sequential');
		assert.deepEqual(source.facts.origin, { kind: 'image', detail: `disk.raw in ${name}` });
		await source.checkUnchanged?.();
		const changing = await openArchiveFile(path, never);
		await truncate(path, bytes.length - 2000);
		const changed = { code: 'source_invalid', message: /changed while it was read/ };
		for (const either of [source, changing])
			await assert.rejects(async () => await either?.checkUnchanged?.(), changed);
		await Promise.all([source.close(), changing?.close()]);
		assert.notEqual(await settledMoment(path), moments[0]);
		assert.equal(await openFiles(path), 0);
	}
});

test('`openArchiveFile` leaves to others what is no archive of a disk, and names what it refuses', async t => {
	const appliance = Buffer.concat([header('web.ovf', 5), padded(Buffer.alloc(5)), end]);
	for (const bytes of [content, gzipSync(content), appliance, Buffer.from('x'), gzipSync(archive).subarray(0, 30)]) {
		const path = await archiveFile(t, 'disk', bytes);
		assert.equal(await openArchiveFile(path, never), undefined);
		assert.equal(await openFiles(path), 0);
	}
	const other = Buffer.concat([header('web.vmdk', 5), padded(Buffer.alloc(5)), end]);
	const path = await archiveFile(t, 'web.tar', other);
	await assert.rejects(openArchiveFile(path, never), {
		code: 'source_invalid',
		message: `${path}: beside disk.raw it has "web.vmdk", which is not known`,
		hint: /^unpack it .*; say --format raw if it is the disk itself$/,
	});
	assert.equal(await openFiles(path), 0);
});

test('an import of an archive that was interrupted reads it anew, stores nothing twice, and has the digest of the disk', async () => {
	const repository = await memoryRepository(65_536);
	const disk = noise(6 * mebibyte, 3);
	const packed = gzipSync(Buffer.concat([header('disk.raw', disk.length), disk, end]), { level: 1 });
	const attempt = async (signal: AbortSignal, beforeRead: (at: number) => Promise<void>) => {
		const source = await openArchiveDisk('a.tar.gz', until => gunzipped(inPieces(packed, 65_536), until), never);
		const read: ArchiveSource['read'] = async (at, into, until) => {
			const reading = source.read(at, into, until);
			await Promise.all([reading, beforeRead(at)]);
		};
		const sources = [{ ...ofItsOwn(source), read }];
		const config = { ...sampleConfig, disks: sampleDisks(1) };
		const same = { machine, time, importId, moment: 'then', packBytes: mebibyte, threads: { most: 0, slabs: 3 } };
		try {
			return await importMachine({ ...same, repository, sources, config }, { signal });
		} finally {
			await source.close();
		}
	};
	const stop = new AbortController();
	const isTold = async () => (await collect(repository.store.list(keys.journals))).length > 1;
	const interrupted = attempt(stop.signal, async at => {
		if (at < 4 * mebibyte) return;
		await waitFor('a pack to be told of', isTold, { timeoutMs: 20_000 });
		stop.abort(new Error('enough'));
	});
	await assert.rejects(interrupted, /enough/);
	const second: number[] = [];
	const { newBytes } = await attempt(never, async at => void second.push(at));
	assert.equal(Math.min(...second), 0);
	assert.ok(newBytes <= disk.length - mebibyte, `${newBytes} are new`);
	const whole = await memoryRepository(65_536);
	await importDisks(whole, [wholeSource(disk)]);
	const digests = await Promise.all(
		[repository, whole].map(async from => (await readPoint(from, machine, time)).manifest.disks[0]?.contentDigest),
	);
	assert.equal(digests[0], digests[1]);
});

const machine = 'web01';
const time = '2026-11-20T03:00:00.000Z';
const importId = '0b2a8f52-58a5-4c6a-9d8e-0e4f6a7d1c11';

function ofItsOwn(source: ArchiveSource): ArchiveSource {
	return {
		sizeBytes: source.sizeBytes,
		access: source.access,
		extents: signal => source.extents(signal),
		read: (at, into, signal) => source.read(at, into, signal),
		checkUnchanged: signal => source.checkUnchanged(signal),
		close: () => source.close(),
	};
}
