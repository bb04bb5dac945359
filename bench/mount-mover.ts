/**
 * What the mount mover and the migration mover do, with a repository mover behind them, all as processes of their own:
 * `node bench/mount-mover.ts [ROUNDS]` prints JSON. Each piece of work is told by its speed and by the processor time
 * that its mover took for it, which other work on the machine disturbs less. Needs fio with its NBD engine, and nbdcopy.
 * The packs are in the page cache: it is the movers that are measured, not a disk.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { waitFor } from '../system/wait.ts';
import type { Captive } from '../test/equipment/captive.ts';
import { startMountMover } from '../test/equipment/mount-movers.ts';
import { allocateTarget, startMigrationMover, startRepositoryMover } from '../test/equipment/movers.ts';
import { sampleDisk, type StoredDisk, storeDisk } from '../test/equipment/stored-disk.ts';

const rounds = Number(process.argv[2] ?? 5);
const MiB = 1024 * 1024;
const diskMiB = 256;
const run = promisify(execFile);

const directory = await mkdtemp(join(tmpdir(), 'rouse-bench-'));
try {
	const stored = await storeDisk(join(directory, 'repository'), sampleDisk(diskMiB * MiB), { packBytes: 64 * MiB });
	const figures: Record<string, number[]> = {};
	for (let round = 0; round <= rounds; round += 1)
		for (const [name, value] of Object.entries(await measure(stored, join(directory, `${round}`))))
			if (round > 0) (figures[name] ??= []).push(value); // the first one fills caches
	for (const [name, values] of Object.entries(figures)) console.log(JSON.stringify({ name, ...spread(values) }));
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
		const cold = await timed(large, () => run('nbdcopy', [large.uri('disk0-wait'), 'null:']));
		const cached = await timed(large, () => randomReads(large.uri('disk0-now'), place, 200_000));
		await large.end('SIGTERM');
		const small = await startMountMover(t, place, [disk], { cacheBytes: 4 * MiB });
		const fetched = await timed(small, () => randomReads(small.uri('disk0-wait'), place, 3_000));
		await small.end('SIGTERM');
		const migration = await startMigrationMover(t, place, [disk]);
		const migrated = await timed(migration, async () => {
			await migration.control.copy(0, { timeoutMs: 60_000 });
			const whole = async () => (await migration.control.state({ timeoutMs: 60_000 })).disks[0]?.complete;
			await waitFor('the copy to end', whole, { timeoutMs: 600_000 });
		});
		const local = await startMountMover(t, place, [disk], { cacheBytes: 4 * MiB });
		const restored = await timed(local, () => randomReads(local.uri('disk0-now'), place, 200_000));
		return {
			'cold copy, MiB/s': diskMiB / cold.seconds,
			'cold copy, CPU us/MiB': cold.cpuUs / diskMiB,
			'4 KiB from memory, reads/s': 200_000 / cached.seconds,
			'4 KiB from memory, CPU us/1000 reads': cached.cpuUs / 200,
			'4 KiB fetched, reads/s': 3_000 / fetched.seconds,
			'4 KiB fetched, CPU us/read': fetched.cpuUs / 3_000,
			'migration, MiB/s': diskMiB / migrated.seconds,
			'migration, CPU us/MiB': migrated.cpuUs / diskMiB,
			'4 KiB from the target, reads/s': 200_000 / restored.seconds,
			'4 KiB from the target, CPU us/1000 reads': restored.cpuUs / 200,
		};
	} finally {
		for (const end of endings.toReversed()) await end();
	}
}

/** Random reads of 4 KiB, 16 at once as QEMU asks. */
async function randomReads(uri: string, place: string, count: number): Promise<void> {
	const job = `--name=read --ioengine=nbd --uri=${uri} --rw=randread --bs=4k --iodepth=16 --size=${diskMiB}M`;
	await run('fio', `${job} --number_ios=${count} --io_size=${count * 4}k --norandommap`.split(' '), { cwd: place });
}

async function timed(mover: Captive, work: () => Promise<unknown>): Promise<{ seconds: number; cpuUs: number }> {
	const startedAt = performance.now();
	const before = await cpuUsOf(mover);
	await work();
	return { seconds: (performance.now() - startedAt) / 1000, cpuUs: (await cpuUsOf(mover)) - before };
}

/** Processor time of a process, in the 10 ms that proc(5) counts by: `utime` and `stime`. */
async function cpuUsOf({ child }: Captive): Promise<number> {
	const stat = await readFile(`/proc/${child.pid}/stat`, 'utf8');
	const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
	return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

function spread(values: readonly number[]): { least: number; median: number; most: number } {
	const sorted = values.map(Math.round).toSorted((a, b) => a - b);
	return { least: sorted[0] ?? 0, median: sorted[sorted.length >> 1] ?? 0, most: sorted.at(-1) ?? 0 };
}
