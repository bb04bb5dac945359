/**
 * What a chunk size costs and saves: `node bench/chunk-size/main.ts IMAGE [ROUNDS]` imports a raw image twice (the second
 * time with changes) into repositories with chunks of 64, 128 and 256 KiB, reads from them in three ways, and prints a
 * table in Markdown. Sizes take turns within a round; the table has medians, and the range for what is timed.
 *
 * An image: `truncate -s 1200M disk.raw && mke2fs -q -t ext4 -d TREE disk.raw`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DirectChunkSource } from '../../repository/direct-chunk-source.ts';
import { diskChunks } from '../../repository/disk-chunks.ts';
import { DiskReader } from '../../repository/disk-reader.ts';
import { importMachine } from '../../repository/import/import-machine.ts';
import { readPoint } from '../../repository/points.ts';
import { initRepository, type Repository } from '../../repository/repository.ts';
import { VerifiedChunks } from '../../repository/verified-chunks.ts';
import { sampleConfig } from '../../test/equipment/sample-config.ts';
import { FileSource } from './file-source.ts';
import { randomNumbers } from '../peers/random-numbers.ts';
import { changedBlocks } from './workload.ts';
import { setPrivateUmask } from '../../system/private-umask.ts';

setPrivateUmask();

const sizes = [64, 128, 256].map(KiB => KiB * 1024);
const [imagePath, rounds = '3'] = process.argv.slice(2);
if (imagePath === undefined) throw new Error('usage: main.ts IMAGE [ROUNDS]');

const times = { first: '2026-11-20T03:00:00.000Z', second: '2026-11-21T03:00:00.000Z' };
const seconds = async (work: () => Promise<unknown>): Promise<number> => {
	const start = performance.now();
	await work();
	return (performance.now() - start) / 1000;
};

type Row = Record<string, number[]>;

async function importAs(repository: Repository, time: string, changed: ReadonlySet<number>) {
	const source = await FileSource.open(imagePath ?? '', changed);
	try {
		return await importMachine({
			repository,
			machine: 'bench',
			time,
			sources: [source],
			config: sampleConfig,
		});
	} finally {
		await source.close();
	}
}

/** 4 KiB reads at random places that hold data, `depth` at once, each with a chunk of its own: nothing is cached. */
async function randomReads(chunks: VerifiedChunks, reader: DiskReader, depth: number, count: number) {
	const random = randomNumbers(7);
	const latencies: number[] = [];
	let left = count;
	const client = async () => {
		while (left > 0) {
			const index = Math.floor(random() * reader.chunkCount);
			const start = performance.now();
			const entry = reader.lookupCached(index) ?? (await reader.lookup(index));
			if (entry === 'zero') continue;
			left--;
			await chunks.fetchOne({ ref: entry, rawBytes: reader.rawBytesOf(index) }, { class: 'mount' });
			latencies.push(performance.now() - start);
		}
	};
	const took = await seconds(() => Promise.all(Array.from({ length: depth }, client)));
	const sorted = latencies.toSorted((a, b) => a - b);
	const at = (part: number) => sorted[Math.floor(sorted.length * part)] ?? 0;
	return { perSecond: latencies.length / took, p50Ms: at(0.5), p99Ms: at(0.99) };
}

/** Files of 64 KiB read at random places, block by block, the last chunk kept: a guest that starts programs. */
async function fileReads(chunks: VerifiedChunks, reader: DiskReader, count: number): Promise<number> {
	const random = randomNumbers(11);
	const { chunkSizeBytes, sizeBytes } = reader.image;
	const took = await seconds(async () => {
		for (let file = 0; file < count; file++) {
			const start = Math.floor((random() * (sizeBytes - 65536)) / 4096) * 4096;
			const last = Math.floor((start + 65535) / chunkSizeBytes);
			for (let index = Math.floor(start / chunkSizeBytes); index <= last; index++) {
				const entry = await reader.lookup(index);
				if (entry !== 'zero')
					await chunks.fetchOne({ ref: entry, rawBytes: reader.rawBytesOf(index) }, { class: 'mount' });
			}
		}
	});
	return count / took;
}

async function measure(chunkSizeBytes: number, row: Row): Promise<void> {
	const directory = await mkdtemp(join(tmpdir(), 'rouse-bench-chunk-size-'));
	const note = (name: string, value: number) => (row[name] ??= []).push(value);
	try {
		const repository = await initRepository(join(directory, 'repository'), { chunkSizeBytes });
		const first = await importAs(repository, times.first, new Set());
		note('import, s', first.durationMs / 1000);
		note('stored, MiB', first.storedBytes / 2 ** 20);
		const second = await importAs(repository, times.second, changedBlocks(first.disks[0]?.sizeBytes ?? 0));
		note('stored by the second, MiB', second.storedBytes / 2 ** 20);
		const image = (await readPoint(repository, 'bench', times.first)).manifest.disks[0];
		if (image === undefined) throw new Error('no disk');
		const chunks = new VerifiedChunks(new DirectChunkSource(repository.store));
		const reader = new DiskReader(chunks, image);
		const alone = await randomReads(chunks, reader, 1, 1500);
		note('random 4 KiB, one at a time, reads/s', alone.perSecond);
		note('its p50, ms', alone.p50Ms);
		note('its p99, ms', alone.p99Ms);
		note('random 4 KiB, 16 at once, reads/s', (await randomReads(chunks, reader, 16, 3000)).perSecond);
		note('64 KiB files, files/s', await fileReads(chunks, reader, 1500));
		let bytes = 0;
		const took = await seconds(async () => {
			for await (const chunk of diskChunks(chunks, reader, { class: 'migration' })) bytes += chunk.bytes.length;
		});
		note('all in order, MiB/s', bytes / 2 ** 20 / took);
		await repository.store.close();
	} finally {
		await rm(directory, { recursive: true });
	}
}

const rows = new Map<number, Row>(sizes.map(size => [size, {}]));
for (let round = 0; round < Number(rounds); round++)
	for (const [size, row] of rows) {
		process.stderr.write(`round ${round + 1}, ${size / 1024} KiB\n`);
		await measure(size, row);
	}

const cell = (values: readonly number[] = []): string => {
	const sorted = values.toSorted((a, b) => a - b);
	const show = (value = 0) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));
	const [low, middle, high] = [sorted[0], sorted[Math.floor(sorted.length / 2)], sorted.at(-1)].map(show);
	return low === high ? `${middle}` : `${middle} (${low}–${high})`;
};
console.log(`| | ${sizes.map(size => `${size / 1024} KiB`).join(' | ')} |`);
console.log(`| --- | ${sizes.map(() => '---').join(' | ')} |`);
for (const name of Object.keys(rows.get(sizes[0] ?? 0) ?? {}))
	console.log(`| ${name} | ${sizes.map(size => cell(rows.get(size)?.[name])).join(' | ')} |`);
