import { keys } from './format/keys.ts';
import { listMachines, listPoints, readPoint } from './points.ts';
import type { Repository } from './repository.ts';
import { allPackFooters } from './pack-footers.ts';

export interface RepositoryStatistics {
	id: string;
	location: string;
	chunkSizeBytes: number;
	machines: number;
	points: number;
	/** Sizes of all disks of all points, as machines see them. */
	disksBytes: number;
	/** Of these, what is not zero. */
	dataBytes: number;
	packs: number;
	/** Chunks in packs, pages of disks' maps among them. */
	chunks: number;
	/** The same before compression. */
	chunksRawBytes: number;
	/** All objects of the store. */
	storedBytes: number;
	pins: number;
	/** Imports under way, or that ended without taking their intent away. */
	intents: number;
	unreadablePacks: string[];
}

/** What a repository holds. Reads every manifest and every footer, no chunk. */
export async function repositoryStatistics(
	repository: Repository,
	{ signal }: { signal?: AbortSignal } = {},
): Promise<RepositoryStatistics> {
	const { id, location, chunkSizeBytes, store } = repository;
	const unreadablePacks: string[] = [];
	const packs = { packs: 0, chunks: 0, chunksRawBytes: 0 };
	for await (const { chunks, rawBytes } of allPackFooters(
		store,
		({ packId }) => unreadablePacks.push(packId),
		signal,
	)) {
		packs.packs++;
		packs.chunks += chunks.length;
		packs.chunksRawBytes += rawBytes;
	}
	const objects = { storedBytes: 0, pins: 0, intents: 0 };
	for await (const { key, sizeBytes } of store.list('', signal)) {
		objects.storedBytes += sizeBytes;
		if (key.startsWith(keys.pins)) objects.pins++;
		if (key.startsWith(keys.intents)) objects.intents++;
	}
	return {
		id,
		location,
		chunkSizeBytes,
		...(await countPoints(repository, signal)),
		...packs,
		...objects,
		unreadablePacks,
	};
}

async function countPoints(repository: Repository, signal: AbortSignal | undefined) {
	const counts = { machines: 0, points: 0, disksBytes: 0, dataBytes: 0 };
	for (const machine of await listMachines(repository, signal)) {
		counts.machines++;
		for (const time of await listPoints(repository, machine, signal)) {
			const { manifest } = await readPoint(repository, machine, time, signal);
			counts.points++;
			for (const { sizeBytes, dataBytes } of manifest.disks) {
				counts.disksBytes += sizeBytes;
				counts.dataBytes += dataBytes;
			}
		}
	}
	return counts;
}
