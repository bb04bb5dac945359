/**
 * What the mount mover and the migration mover do, with a repository mover behind them, all as processes of their own:
 * `node bench/mount-mover.ts [ROUNDS]` prints JSON. Needs fio with its NBD engine, and nbdcopy. The packs are in the page
 * cache: it is the movers that are measured, not a disk.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as z from 'zod';
import { startMountMover } from '../test/equipment/mount-movers.ts';
import { allocateTarget, migrationState, startMigrationMover, startRepositoryMover } from '../test/equipment/movers.ts';
import { sampleDisk, type StoredDisk, storeDisk } from '../test/equipment/stored-disk.ts';

const rounds = Number(process.argv[2] ?? 5);
const MiB = 1024 * 1024;
const diskMiB = 256;
const run = promisify(execFile);
const fioSchema = z.object({ jobs: z.array(z.object({ read: z.object({ iops: z.number() }) })).min(1) });

const directory = await mkdtemp(join(tmpdir(), 'rouse-bench-'));
try {
	const stored = await storeDisk(join(directory, 'repository'), sampleDisk(diskMiB * MiB), { packBytes: 64 * MiB });
	const figures: Record<string, number[]> = {};
	for (let round = 0; round <= rounds; round += 1)
		for (const [name, value] of Object.entries(await measure(stored, join(directory, `${round}`))))
			if (round > 0) (figures[name] ??= []).push(value); // the first one fills caches
	console.log(JSON.stringify({ rounds, ...Object.fromEntries(Object.entries(figures).map(spread)) }, null, '\t'));
} finally {
	await rm(directory, { recursive: true, force: true });
}

async function measure(stored: StoredDisk, place: string): Promise<Record<string, number>> {
	await mkdir(place);
	const endings: (() => unknown)[] = [];
	const t = { after: (end: () => unknown) => void endings.push(end) };
	try {
		const disk = await allocateTarget(place, stored.image);
		await startRepositoryMover(t, place, stored.directory);
		const large = await startMountMover(t, place, [disk], { cacheBytes: 2 * diskMiB * MiB });
		const copied = await seconds(() => run('nbdcopy', [large.uri('disk0-wait'), 'null:']));
		const cachedReads = await randomReads(large.uri('disk0-now'), place);
		await large.end('SIGTERM');
		const small = await startMountMover(t, place, [disk], { cacheBytes: 4 * MiB });
		const fetchedReads = await randomReads(small.uri('disk0-wait'), place);
		await small.end('SIGTERM');
		const migration = await startMigrationMover(t, place, [disk]);
		const migrated = await seconds(async () => {
			await migration.control.copy(0);
			await migrationState(migration, 'complete', ({ disks }) => disks.every(one => one.complete));
		});
		const local = await startMountMover(t, place, [disk], { cacheBytes: 4 * MiB });
		const localReads = await randomReads(local.uri('disk0-now'), place);
		return {
			coldCopyMiBPerSecond: diskMiB / copied,
			cachedReadsPerSecond: cachedReads,
			fetchedReadsPerSecond: fetchedReads,
			migrationMiBPerSecond: diskMiB / migrated,
			localReadsPerSecond: localReads,
		};
	} finally {
		for (const end of endings.toReversed()) await end();
	}
}

/** Random reads of 4 KiB, 16 at once as QEMU asks, for 4 s. */
async function randomReads(uri: string, place: string): Promise<number> {
	const report = join(place, 'fio.json'); // standard output has the engine's talk as well
	const job = `--name=read --ioengine=nbd --uri=${uri} --rw=randread --bs=4k --iodepth=16 --size=${diskMiB}M`;
	const limits = `--time_based --runtime=4 --randrepeat=1 --output-format=json --output=${report}`;
	await run('fio', `${job} ${limits}`.split(' '), { cwd: place });
	return fioSchema.parse(JSON.parse(await readFile(report, 'utf8'))).jobs.reduce((sum, { read }) => sum + read.iops, 0);
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
	const startedAt = performance.now();
	await work();
	return (performance.now() - startedAt) / 1000;
}

function spread([name, values]: [string, number[]]): [string, { least: number; median: number; most: number }] {
	const sorted = values.map(Math.round).toSorted((a, b) => a - b);
	return [name, { least: sorted[0] ?? 0, median: sorted[sorted.length >> 1] ?? 0, most: sorted.at(-1) ?? 0 }];
}
