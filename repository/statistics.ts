import { keys } from './format/keys.ts';
import { readPoints } from './read-points.ts';
import type { Repository } from './repository.ts';
import { allPackFooters } from './pack-footers.ts';

interface UnreadablePoint {
	machine: string;
	restorePoint: string;
	reason: string;
}

export interface RepositoryStatistics {
	id: string;
	location: string;
	chunkSizeBytes: number;
	machines: number;
	/** Those that cannot be read among them. */
	points: number;
	/** Sizes of all disks of all points that can be read, as machines see them. */
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
	/** Bad places that readers have marked. */
	badPlaces: number;
	unreadablePacks: string[];
	unreadablePoints: UnreadablePoint[];
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
	const objects = { storedBytes: 0, pins: 0, intents: 0, badPlaces: 0 };
	for await (const { key, sizeBytes } of store.list('', signal)) {
		objects.storedBytes += sizeBytes;
		if (key.startsWith(keys.pins)) objects.pins++;
		if (key.startsWith(keys.intents)) objects.intents++;
		if (key.startsWith(keys.badPlaces)) objects.badPlaces++;
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
	const counts = { points: 0, disksBytes: 0, dataBytes: 0 };
	const machines = new Set<string>();
	const unreadablePoints: UnreadablePoint[] = [];
	for await (const { machine, time, point, error } of readPoints(repository, undefined, signal)) {
		machines.add(machine);
		counts.points++;
		if (error) unreadablePoints.push({ machine, restorePoint: time, reason: error.message });
		for (const { sizeBytes, dataBytes } of point?.manifest.disks ?? []) {
			counts.disksBytes += sizeBytes;
			counts.dataBytes += dataBytes;
		}
	}
	return { machines: machines.size, ...counts, unreadablePoints };
}
