/**
 * From request to powered on, for a small and a huge sparse disk, in turn in one run; and what opening the huge one
 * reads. Everything is real: embedded installation, movers, QEMU. The machines have no operating system.
 *
 *   node bench/time-to-running.ts [ROUNDS]      prints JSON
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import { OwnCommand } from '../cli/demo/own-command.ts';
import type { ChunkSource } from '../repository/chunk-source.ts';
import { DirectChunkSource } from '../repository/direct-chunk-source.ts';
import { DiskReader } from '../repository/disk-reader.ts';
import { readPoint, resolvePoint } from '../repository/points.ts';
import { openRepository } from '../repository/repository.ts';
import { VerifiedChunks } from '../repository/verified-chunks.ts';

const rounds = Number(process.argv[2] ?? 15);
const GiB = 1024 ** 3;
const machines = { small: GiB, huge: 2048 * GiB };
const anything = z.looseObject({});
const startedSchema = z.object({ timings: z.object({ requestedAt: z.string(), runningAt: z.string() }) });
const shownSchema = z.object({ phase: z.string() });

const directory = await mkdtemp(join(tmpdir(), 'rouse-bench-'));
const repository = join(directory, 'repository');
const rouse = new OwnCommand(
	{ ...process.env, ROUSE_HOME: join(directory, 'home'), ROUSE_REPO: repository },
	AbortSignal.timeout(30 * 60_000),
);
try {
	await rouse.run(anything, 'repo', 'init', repository);
	for (const [machine, sizeBytes] of Object.entries(machines)) {
		const image = join(directory, `${machine}.raw`);
		await makeImage(image, sizeBytes);
		await rouse.run(anything, 'backup', 'import', image, '--machine', machine);
	}
	await rouse.run(anything, 'up', '--detach');
	try {
		const taken: Record<string, number[]> = { small: [], huge: [] };
		for (let round = 0; round <= rounds; round += 1)
			for (const machine of Object.keys(machines)) {
				const ms = await timeToRunning(machine, `${machine}-${round}`);
				if (round > 0) taken[machine]?.push(ms); // the first one fills caches
			}
		const opening = await opens('huge');
		console.log(
			JSON.stringify({
				rounds,
				requestToRunningMs: { small: spread(taken['small'] ?? []), huge: spread(taken['huge'] ?? []) },
				openingHuge: opening,
			}),
		);
	} finally {
		await rouse.run(anything, 'down');
	}
} finally {
	await rm(directory, { recursive: true, force: true });
}

/** Sparse, with data at the beginning, in the middle and at the end. */
async function makeImage(path: string, sizeBytes: number): Promise<void> {
	const file = await open(path, 'wx');
	try {
		await file.truncate(sizeBytes);
		for (const at of [0, sizeBytes / 2, sizeBytes - 8 * 1024 * 1024])
			await file.write(randomBytes(8 * 1024 * 1024), 0, undefined, at);
	} finally {
		await file.close();
	}
}

async function timeToRunning(machine: string, name: string): Promise<number> {
	const words = `recover start ${machine}@latest --name ${name} --allocate thin`.split(' ');
	const { timings } = await rouse.run(startedSchema, ...words);
	await rouse.run(anything, 'recover', 'discard', name, '--confirm', name);
	while ((await rouse.run(shownSchema, 'recover', 'show', name)).phase !== 'discarded');
	return Date.parse(timings.runningAt) - Date.parse(timings.requestedAt);
}

/** What a mount reads of the store before it can answer, and for a first read in the middle of the disk. */
async function opens(machine: string): Promise<{ fetches: number; storedBytes: number; openMs: number }> {
	const opened = await openRepository(repository);
	const direct = new DirectChunkSource(opened.store);
	try {
		const { manifest } = await readPoint(opened, machine, await resolvePoint(opened, machine, 'latest'));
		const image = manifest.disks[0];
		if (!image) throw new Error('the point has no disk');
		const counted = { fetches: 0, storedBytes: 0 };
		const source: ChunkSource = {
			async *fetch(refs, options) {
				counted.fetches += 1;
				for await (const chunk of direct.fetch(refs, options)) {
					counted.storedBytes += chunk.stored.length;
					yield chunk;
				}
			},
			close: () => direct.close(),
		};
		const begun = performance.now();
		const reader = new DiskReader(new VerifiedChunks(source), image);
		await reader.lookup(reader.chunkCount >>> 1);
		return { ...counted, openMs: Math.round(performance.now() - begun) };
	} finally {
		await opened.store.close();
	}
}

function spread(values: readonly number[]): { least: number; median: number; most: number } {
	const sorted = values.toSorted((a, b) => a - b);
	return { least: sorted[0] ?? 0, median: sorted[sorted.length >> 1] ?? 0, most: sorted.at(-1) ?? 0 };
}
