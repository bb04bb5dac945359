import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readPoint } from '../../../repository/points.ts';
import type { Repository } from '../../../repository/repository.ts';
import type { ImportOrder } from '../../../sources/machine/order.ts';
import { beginMoment, isReady } from '../../../sources/machine/steps/begin.ts';
import { commitMoment } from '../../../sources/machine/steps/commit.ts';
import { copyMoment } from '../../../sources/machine/steps/copy.ts';
import { makeOrder } from '../../../sources/machine/steps/make-order.ts';
import type { StepPlaces } from '../../../sources/machine/steps/places.ts';
import { waitFor } from '../../../system/wait.ts';
import { importDisks, memoryRepository, noise, wholeSource } from '../repositories.ts';
import { Random } from '../seeds/random.ts';
import type { SourceBench, SourceCase } from './bench.ts';
import { signal } from './driven.ts';

const machine = 'web01';
const chunkBytes = 64 * 1024;
const seeds = [1, 2];
const mostWrites = 6;

/** Random histories of changes, by the steps of an import into a repository: an increment has what a full import has. */
export const historyCases: readonly SourceCase[] = seeds.map(seed => ({
	name: `increments of a random history are what a full import of the same moments is (seed ${seed})`,
	run: bench => increments(bench, new Random(seed)),
}));

async function increments(bench: SourceBench, random: Random): Promise<void> {
	const repository = await memoryRepository(chunkBytes);
	for (const round of [0, 1, 2]) {
		const now = new Date(Date.UTC(2026, 10, 20, 3, round));
		const wish = { importId: randomUUID(), machine, spec: {}, now };
		const order = await step(bench, repository, places => makeOrder(places, wish));
		const keys = order.described.disks.map(({ key }) => key);
		await work(bench, keys, random);
		const held = await Promise.all(keys.map(key => bench.guest.content(key)));
		const moment = await step(bench, repository, places => beginMoment(places, order));
		await work(bench, keys, random);
		const ready = () => step(bench, repository, places => isReady(places, moment));
		await waitFor('the moment to be ready', ready, { timeoutMs: 60_000 });
		const { reads } = await step(bench, repository, places => copyMoment(places, { order, moment }));
		await work(bench, keys, random);
		await step(bench, repository, places => commitMoment(places, order));
		const how = round === 0 ? 'all' : 'changes';
		assert.ok(
			reads.every(one => one.reads === how),
			`round ${round}: ${JSON.stringify(reads)}`,
		);
		assert.deepEqual(await digests(repository, order), await digestsInFull(held), `round ${round}`);
	}
}

/** A step as a process of its own takes it. */
async function step<T>(
	bench: SourceBench,
	repository: Repository,
	take: (places: StepPlaces) => Promise<T>,
): Promise<T> {
	const source = bench.open();
	try {
		return await take({ source, repository, signal });
	} finally {
		await source.close();
	}
}

/** What a guest writes: anywhere, noise and zeros, often where it has written before. */
async function work({ guest }: SourceBench, keys: readonly string[], random: Random): Promise<void> {
	for (let left = random.below(mostWrites) + 1; left > 0; left--) {
		const key = keys[random.below(keys.length)] ?? '';
		const sectors = Math.floor((await guest.content(key)).length / 512);
		const at = random.below(sectors);
		const lengthBytes = Math.min(random.below(300) + 1, sectors - at) * 512;
		const isZero = random.below(3) === 0;
		await guest.write(key, at * 512, isZero ? Buffer.alloc(lengthBytes) : noise(lengthBytes, random.below(1000)));
	}
}

async function digests(repository: Repository, { time }: Pick<ImportOrder, 'time'>): Promise<string[]> {
	return (await readPoint(repository, machine, time)).manifest.disks.map(({ contentDigest }) => contentDigest);
}

async function digestsInFull(held: readonly Buffer[]): Promise<string[]> {
	const repository = await memoryRepository(chunkBytes);
	await importDisks(repository, held.map(wholeSource), { machine });
	return digests(repository, { time: '2026-11-20T03:00:00.000Z' });
}
