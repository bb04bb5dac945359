import type { ChunkRef } from '../../model/chunk.ts';
import { entriesOf, footerOf, type PackEntries, type PackFooter } from '../format/pack.ts';
import { ChunkTable } from '../index/chunk-table.ts';
import type { StoredPack } from './pack-writer.ts';

/** Packs whose chunks are remembered together, and get one index: 4 GiB of packs, or fewer with many small chunks. */
const groupPacks = 64;
const groupChunks = 262_144;

/** One of many: taken apart when its footer is asked for, each time. */
class KeptPack implements StoredPack {
	readonly #entries: PackEntries;
	readonly sizeBytes: number;

	constructor({ footer, sizeBytes }: StoredPack) {
		this.#entries = entriesOf(footer);
		this.sizeBytes = sizeBytes;
	}

	get footer(): PackFooter {
		return footerOf(this.#entries);
	}
}

interface Group {
	chunks: ChunkTable;
	/** Packs that hold these chunks, the open one among them. */
	packIds: Set<string>;
	/** Those of them that are in the store. */
	stored: KeptPack[];
	/** Takes no more packs. */
	isFull: boolean;
}

/**
 * What an import has stored by itself and no index tells yet. Whoever has written an index for a group forgets it: so the
 * memory that this takes depends neither on the disk nor on the repository.
 */
export class StoredChunks {
	#groups: Group[] = [];

	find(digest: Buffer): ChunkRef | undefined {
		for (const { chunks } of this.#groups) {
			const found = chunks.find(digest);
			if (found !== undefined) return found;
		}
		return undefined;
	}

	/** In the order of the packs. */
	add(digest: Buffer, ref: ChunkRef): void {
		let group = this.#groups.at(-1);
		const isNewPack = group?.packIds.has(ref.packId) !== true;
		if (group === undefined || (isNewPack && isFull(group))) {
			if (group !== undefined) group.isFull = true;
			group = { chunks: new ChunkTable(), packIds: new Set(), stored: [], isFull: false };
			this.#groups.push(group);
		}
		group.packIds.add(ref.packId);
		group.chunks.add(digest, ref);
	}

	/**
	 * Notes that a pack is in the store. The packs of the first group when that takes no more and all of them are: they can get an
	 * index.
	 */
	stored(pack: StoredPack): readonly StoredPack[] | undefined {
		this.#groups.find(({ packIds }) => packIds.has(pack.footer.packId))?.stored.push(new KeptPack(pack));
		const [first] = this.#groups;
		return first?.isFull && first.stored.length === first.packIds.size ? first.stored : undefined;
	}

	/** The packs that have no index yet, all of them being in the store. */
	rest(): readonly StoredPack[] {
		return this.#groups.flatMap(({ stored }) => stored);
	}

	/** After an index tells of these packs, as they were given out. */
	forget(packs: readonly StoredPack[]): void {
		const told = new Set(packs);
		this.#groups = this.#groups.filter(({ stored }) => !stored.some(pack => told.has(pack)));
	}
}

function isFull({ packIds, chunks }: Group): boolean {
	return packIds.size >= groupPacks || chunks.count >= groupChunks;
}
