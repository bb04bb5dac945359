/** Repositories that ours writes are read by a program that knows docs/format.md alone, and the other way round. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { exportRaw } from '../../exports/raw.ts';
import { DirectChunkSource } from '../../repository/direct-chunk-source.ts';
import { RouseError } from '../../model/errors.ts';
import type { DiskSource, SourceExtent } from '../../repository/import/disk-source.ts';
import { importMachine } from '../../repository/import/import-machine.ts';
import type { ImportOptions } from '../../repository/import/import-request.ts';
import { listPins, pinPoint } from '../../repository/pins.ts';
import { readPoint } from '../../repository/points.ts';
import { readPoints } from '../../repository/read-points.ts';
import { initRepository, openRepository, type Repository } from '../../repository/repository.ts';
import { VerifiedChunks } from '../../repository/verified-chunks.ts';
import { verifyPoint } from '../../repository/verify.ts';
import { verifyRepository } from '../../repository/verify/repository.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { checkJudge, judge, type WantedDisk, writeForeign } from '../equipment/foreign-judge.ts';
import { goOn, killedDisks, killedImport } from '../equipment/killed-import.ts';
import { collect, importDisks, noise, SparseSource, wholeSource } from '../equipment/repositories.ts';
import { SaidSource } from '../equipment/said-source.ts';
import { sampleConfig, sampleDisks } from '../equipment/sample-config.ts';
import { sampleDisk } from '../equipment/stored-disk.ts';

const program = new URL('../equipment/killed-import.ts', import.meta.url).pathname;
const first = '2026-11-20T03:00:00.000Z';
const second = '2026-11-21T03:00:00.000Z';
const third = '2026-11-22T03:00:00.000Z';
const kib = 1024;
const mib = 1024 * kib;

test('the foreign reader finds crafted damage whose checksums are right, and every bit that flips', async t => {
	const { cases, flips, failed } = await checkJudge(await temporaryDirectory(t));
	assert.deepEqual(failed, []);
	assert.ok(cases > 100 && flips > 20, `${cases} cases, ${flips} flips`);
});

/** Every disk that was imported, as it was. */
class Imported {
	readonly repository: Repository;
	readonly #place: string;
	readonly #disks: { machine: string; time: string; disk: number; sha256: string }[] = [];

	constructor(repository: Repository, place: string) {
		this.repository = repository;
		this.#place = place;
	}

	async import(
		machine: string,
		time: string,
		disks: readonly (Buffer | DiskSource)[],
		packBytes?: number,
	): Promise<string> {
		const sources = disks.map(disk => (Buffer.isBuffer(disk) ? wholeSource(disk) : disk));
		for (const [disk, source] of sources.entries()) await this.remember(machine, time, disk, source);
		const made = await importDisks(this.repository, sources, { machine, time, ...(packBytes && { packBytes }) });
		return made.manifestDigest;
	}

	async remember(machine: string, time: string, disk: number, source: DiskSource): Promise<void> {
		this.#disks.push({ machine, time, disk, sha256: await digestOf(source) });
	}

	/** The foreign reader says what it finds, and that each disk is what was imported. */
	async judged(): Promise<Record<string, number>> {
		const wanted = this.#disks.map(
			(disk, number): WantedDisk => ({ ...disk, path: join(this.#place, `disk${number}`) }),
		);
		const { counts, findings, exports } = await judge(this.repository.location, wanted);
		assert.deepEqual(findings, []);
		assert.deepEqual(
			exports.map(({ sha256 }) => sha256),
			this.#disks.map(({ sha256 }) => sha256),
		);
		return counts;
	}
}

async function imported(
	t: TestContext,
	sizes: { chunkSizeBytes?: number; frameSizeBytes?: number },
): Promise<Imported> {
	const place = await temporaryDirectory(t);
	const repository = await initRepository(join(place, 'repository'), sizes);
	assert.partialDeepStrictEqual(repository, sizes);
	t.after(() => repository.store.close());
	return new Imported(repository, place);
}

async function digestOf(source: DiskSource): Promise<string> {
	const hash = createHash('sha256');
	for (let at = 0; at < source.sizeBytes; at += mib) {
		const piece = Buffer.alloc(Math.min(mib, source.sizeBytes - at));
		await source.read(at, piece, new AbortController().signal);
		hash.update(piece);
	}
	return hash.digest('hex');
}

/** Chunks and frames: one in the other, the other in the one, as large as each other, and no power of two. */
const sizes = [
	{ chunkSizeBytes: 4 * kib, frameSizeBytes: 16 * kib },
	{ chunkSizeBytes: 4 * kib, frameSizeBytes: 16 * mib },
	{ chunkSizeBytes: 64 * kib, frameSizeBytes: 16 * kib },
	{ chunkSizeBytes: 99 * 512, frameSizeBytes: 16 * kib },
	{ chunkSizeBytes: 128 * kib, frameSizeBytes: 64 * kib },
	{ chunkSizeBytes: mib, frameSizeBytes: 16 * kib },
	{ chunkSizeBytes: mib, frameSizeBytes: 4 * mib },
];

for (const { chunkSizeBytes, frameSizeBytes } of sizes)
	test(`disks imported with chunks of ${chunkSizeBytes} and frames of ${frameSizeBytes} bytes are as a stranger reads them`, async t => {
		const made = await imported(t, { chunkSizeBytes, frameSizeBytes });
		const whole = sampleDisk(3 * mib + 12_345);
		const disks = [whole, Buffer.alloc(2 * mib + 1), noise(1, 3), sampleDisk(chunkSizeBytes, 5), noise(511, 7)];
		await made.import('web01', first, disks);
		const changed = Buffer.from(whole);
		noise(5000, 9).copy(changed, mib + 77);
		await made.import('web01', second, [changed, ...disks.slice(1)]);
		const counts = await made.judged();
		assert.equal(counts['points'], 2);
		assert.equal(counts['disks'], 10);
	});

test('points that share pages, machines that share chunks, and a pin are as a stranger reads them', async t => {
	const made = await imported(t, { chunkSizeBytes: 4 * kib, frameSizeBytes: 16 * kib });
	const before = noise(5 * mib, 1);
	const pinned = await made.import('web01', first, [before]);
	const after = Buffer.from(before);
	noise(4 * kib, 2).copy(after, 3 * 4 * kib);
	await made.import('web01', second, [after]);
	await made.import('web01', third, [Buffer.concat([after, noise(3333, 4)])]);
	await made.import('db01', first, [after.subarray(mib)]);
	const pin = { recoveryId: crypto.randomUUID(), machine: 'web01', restorePoint: first, manifestDigest: pinned };
	await pinPoint(made.repository, { ...pin, reason: 'a test' });
	const counts = await made.judged();
	assert.equal(counts['pins'], 1);
	assert.ok((counts['pages shared'] ?? 0) >= 2, `${counts['pages shared']} pages shared`);
});

test('indexes of many imports, merged, are as a stranger reads them', async t => {
	const made = await imported(t, { chunkSizeBytes: 4 * kib, frameSizeBytes: 16 * kib });
	for (let day = 1; day <= 20; day++)
		await made.import('web01', `2026-10-${String(day).padStart(2, '0')}T03:00:00.000Z`, [noise(9000 + day, day)]);
	const counts = await made.judged();
	const indexes = counts['indexes'] ?? 0;
	assert.ok(indexes > 0 && indexes < 20, `${indexes} indexes`);
	assert.equal(counts['packs without index'], undefined);
});

test('a sparse disk of four levels of pages is as a stranger reads it', async t => {
	const made = await imported(t, { chunkSizeBytes: 4 * kib, frameSizeBytes: 16 * kib });
	const sizeBytes = 5 * 2 ** 40 + 513;
	const pieces = [0, 2 ** 32 + 5, 2 ** 42, sizeBytes - 100].map((offsetBytes, seed) => ({
		offsetBytes,
		bytes: noise(100, seed + 1),
	}));
	await importDisks(made.repository, [new SparseSource(sizeBytes, pieces)]);
	const { counts, findings } = await judge(made.repository.location);
	assert.deepEqual(findings, []);
	assert.equal(counts['chunks looked up'], 4);
});

test('what an import leaves that is killed twice, and what becomes of it, is as a stranger reads it', async t => {
	const made = await imported(t, { chunkSizeBytes: 16 * kib, frameSizeBytes: 16 * kib });
	const { location } = made.repository;
	for (const [place, count] of [
		['progress', 5],
		['pages', 1],
	]) {
		const killed = promisify(execFile)(process.execPath, [program, location, String(place), String(count)]);
		await assert.rejects(killed, { signal: 'SIGKILL' });
		const { counts, findings } = await judge(location);
		assert.deepEqual(findings, []);
		assert.equal(counts['intents'], 1);
		assert.ok((counts['journal references'] ?? 0) > 0, `killed at ${place}, nothing was told`);
		await made.import(`beside-${place}`, first, [noise(mib, 2)]);
	}
	await goOn(made.repository);
	const { machine, time } = killedImport;
	for (const [disk, source] of killedDisks().entries()) await made.remember(machine, time, disk, source);
	const counts = await made.judged();
	assert.deepEqual([counts['intents'], counts['journal objects']], [undefined, undefined]);
});

test('an import with a base that is broken off before its pages, and what becomes of it, is as a stranger reads it', async t => {
	const made = await imported(t, { chunkSizeBytes: 4 * kib, frameSizeBytes: 16 * kib });
	const { repository } = made;
	const before = sampleDisk(6 * mib + 12_345);
	const manifestDigest = await made.import('web01', first, [before]);
	const after = Buffer.from(before);
	noise(5000, 9).copy(after, 5 * mib + 77);
	const changed: SourceExtent[] = [
		{ offsetBytes: 0, lengthBytes: 5 * mib, kind: 'unchanged' },
		{ offsetBytes: 5 * mib, lengthBytes: 8 * kib, kind: 'data' },
		{ offsetBytes: 5 * mib + 8 * kib, lengthBytes: mib - 8 * kib + 12_345, kind: 'unchanged' },
	];
	const attempt = async (options: ImportOptions) => {
		const config = { ...sampleConfig, disks: sampleDisks(1) };
		const base = { restorePoint: first, manifestDigest };
		const own = { importId: killedImport.importId, moment: 'then', time: second, base };
		const sources = [new SaidSource(after, changed, 0)];
		return importMachine({ repository, machine: 'web01', sources, config, ...own }, options);
	};
	const brokenOff = new RouseError('interrupted', 'by a test');
	const reached = (place: string) => {
		if (place === 'pages') throw brokenOff;
	};
	await assert.rejects(attempt({ reached }), brokenOff);
	const { counts, findings } = await judge(repository.location);
	assert.deepEqual(findings, []);
	assert.deepEqual([counts['intents'], counts['journal runs as in a base']], [1, 2]);
	assert.deepEqual(
		(await verifyRepository(repository)).findings.filter(({ kind }) => kind === 'damage'),
		[],
	);
	assert.deepEqual((await attempt({})).warnings, []);
	await made.remember('web01', second, 0, wholeSource(after));
	const judged = await made.judged();
	assert.equal(judged['intents'], undefined);
	assert.ok((judged['pages shared'] ?? 0) >= 1);
});

test('a repository that a stranger wrote is listed, verified and exported as he says', async t => {
	const place = await temporaryDirectory(t);
	const written = await writeForeign(join(place, 'repository'));
	const repository = await openRepository(join(place, 'repository'));
	t.after(() => repository.store.close());
	assert.equal(repository.id, written.repositoryId);
	const points = Map.groupBy(written.disks, ({ machine, time }) => `${machine} ${time}`);
	const listed = (await collect(readPoints(repository))).map(({ machine, time, error }) => {
		assert.equal(error, undefined);
		return `${machine} ${time}`;
	});
	assert.deepEqual(listed.toSorted(), [...points.keys()].toSorted());
	assert.equal((await listPins(repository)).pins.length, 1);
	const { findings } = await verifyRepository(repository);
	assert.deepEqual(
		findings.filter(({ kind }) => kind === 'damage'),
		[],
	);
	await mkdir(join(place, 'exports'));
	for (const disks of points.values()) {
		const point = await readPoint(repository, disks[0]?.machine ?? '', disks[0]?.time ?? '');
		assert.deepEqual((await verifyPoint(repository, point)).damaged, []);
		assert.equal(point.manifest.disks.length, disks.length);
		for (const { disk, sizeBytes, contentDigest, sha256 } of disks) {
			const image = point.manifest.disks[disk] ?? assert.fail();
			assert.deepEqual([image.sizeBytes, image.contentDigest], [sizeBytes, contentDigest]);
			const path = join(place, 'exports', `${point.manifest.machine} ${point.manifest.time} ${disk}`);
			await exportRaw(new VerifiedChunks(new DirectChunkSource(repository.store)), image, path);
			assert.equal((await createReadStream(path).pipe(createHash('sha256')).toArray())[0].toString('hex'), sha256);
		}
	}
	// Written into by ours, it is still what a stranger reads.
	await importDisks(repository, [wholeSource(noise(mib, 1))], { machine: 'web01', time: '2026-12-01T03:00:00.000Z' });
	assert.deepEqual((await judge(repository.location)).findings, []);
});
