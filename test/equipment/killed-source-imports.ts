import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { DirectChunkSource } from '../../repository/direct-chunk-source.ts';
import { readPoint } from '../../repository/points.ts';
import { initRepository, openRepository } from '../../repository/repository.ts';
import { StoredDiskReader } from '../../repository/stored-disk.ts';
import { VerifiedChunks } from '../../repository/verified-chunks.ts';
import type { ImportPlaces } from '../../sources/machine-child/calls.ts';
import { childSteps } from '../../sources/machine-child/children.ts';
import { temporaryDirectory } from './captive.ts';
import type { SourceBench } from './machine-sources/bench.ts';
import { Driven, signal } from './machine-sources/driven.ts';
import { noise } from './repositories.ts';

interface KilledImport {
	/** What its plan asks of every disk. */
	reads: 'changes' | 'all';
	/** Where the process that takes this step is killed first. */
	begin?: string;
	copy?: string;
	commit?: string;
}

interface Imported extends SourceBench {
	uri: string;
	keys: readonly string[];
}

/**
 * One import after the other of one machine, each step by a process of its own that is killed and taken anew: each point holds what
 * the disks held at its moment, read whole, and of all of them one checkpoint is left.
 */
export async function mustSurviveDeaths(
	t: TestContext,
	bench: Imported,
	imports: readonly KilledImport[],
): Promise<void> {
	const { home, places } = await homeOf(t, bench.uri);
	const steps = childSteps(home);
	const killed = { code: 'import_failed', message: /SIGKILL/ };
	const first = async (place: string | undefined, take: (dying: typeof steps) => Promise<unknown>) => {
		if (place === undefined) return;
		const dying = childSteps(home, { env: { ...process.env, ROUSE_TEST_KILL_AT: place } });
		await assert.rejects(take(dying), killed, `nobody died at ${place}`);
	};
	const contents = () => Promise.all(bench.keys.map(key => bench.guest.content(key)));
	const [one = '', other = one] = bench.keys;
	for (const [round, { reads, begin, copy, commit }] of imports.entries()) {
		const order = await steps.plan(places, { importId: randomUUID(), machine: 'web01' }, signal);
		assert.deepEqual([...new Set(order.plan.disks.map(disk => disk.reads))], [reads]);
		const early = await contents();
		await first(begin, dying => dying.begin(places, order, signal));
		await bench.guest.write(one, 3 * 65_536 - 512, noise(1024, round));
		const late = await contents();
		const moment = await steps.begin(places, order, signal);
		await bench.guest.write(other, 0, noise(512, round + 30));
		const how = { order, moment, maxRateBytes: null };
		const told = { signal, onProgress: () => {} };
		await first(copy, dying => dying.copy(places, how, told));
		const { restorePoint } = await steps.copy(places, how, told);
		// A moment that was begun whole is found again.
		const wanted = begin === 'begun' ? early : late;
		for (const [number, bytes] of (await storedDisks(places, restorePoint)).entries())
			assert.ok(bytes.equals(wanted[number] ?? Buffer.alloc(0)), `disk ${number} of import ${round} is wrong`);
		await first(commit, dying => dying.commit(places, order, signal));
		await steps.commit(places, order, signal);
		assert.deepEqual(await new Driven(bench).tagsLeft(), [order.tag]);
	}
}

/** A home whose config.yaml names the machine and a repository. */
async function homeOf(t: TestContext, uri: string): Promise<{ home: string; places: ImportPlaces }> {
	const directory = await temporaryDirectory(t);
	const home = join(directory, 'home');
	await mkdir(home, { mode: 0o700 });
	const {
		id: repositoryId,
		location,
		store,
	} = await initRepository(join(directory, 'repository'), {
		chunkSizeBytes: 65_536,
	});
	await store.close();
	const config = {
		repositories: { main: location },
		defaultRepository: 'main',
		sources: { web: { uri, machine: 'web01' } },
	};
	await writeFile(join(home, 'config.yaml'), JSON.stringify(config));
	return { home, places: { source: 'web', repository: location, repositoryId } };
}

async function storedDisks({ repository: location }: ImportPlaces, time: string): Promise<Buffer[]> {
	const repository = await openRepository(location);
	try {
		const { manifest } = await readPoint(repository, 'web01', time);
		const chunks = new VerifiedChunks(new DirectChunkSource(repository.store));
		const disks = manifest.disks.map(async image => {
			const bytes = Buffer.alloc(image.sizeBytes);
			await new StoredDiskReader(chunks, image).read(0, bytes, signal);
			return bytes;
		});
		return await Promise.all(disks);
	} finally {
		await repository.store.close();
	}
}
