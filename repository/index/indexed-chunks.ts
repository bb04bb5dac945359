import type { ChunkRef } from '../../model/chunk.ts';
import { isUnusable } from '../damage.ts';
import { keys } from '../format/keys.ts';
import { type PackEntries, refsIn } from '../format/pack.ts';
import { readPackEntries } from '../pack-footers.ts';
import type { Store } from '../store/contract.ts';
import type { IndexSet } from './index-set.ts';
import { RecentFooters } from './recent-footers.ts';

interface NamedPack {
	packId: string;
	/** Of the whole pack, as an index says. */
	packBytes?: number;
}

/** The footer of a pack; undefined without such a pack. */
export type ReadFooter = (pack: NamedPack, signal?: AbortSignal) => Promise<PackEntries | undefined>;

/** Chunks by digest: what indexes say of them, when the packs' footers say so too. MAY be used concurrently. */
export class IndexedChunks {
	readonly #indexes: IndexSet;
	readonly #readFooter: ReadFooter;
	readonly #recent = new RecentFooters();
	readonly #reading = new Map<string, Promise<PackEntries | undefined>>();
	/** Packs that do not help: damaged, or gone. */
	readonly #useless = new Set<string>();
	/** Packs whose footers turned out to be damaged. */
	readonly unreadablePacks = new Set<string>();

	constructor(indexes: IndexSet, readFooter: ReadFooter) {
		this.#indexes = indexes;
		this.#readFooter = readFooter;
	}

	/** Whether the footer of its pack says the same; false for a pack that is not there, or whose footer is damaged. */
	async confirms(ref: ChunkRef, signal?: AbortSignal): Promise<boolean> {
		const { packId, offsetBytes, storedBytes } = ref;
		const isSame = (other: ChunkRef) =>
			other.packId === packId && other.offsetBytes === offsetBytes && other.storedBytes === storedBytes;
		const digest = Buffer.from(ref.digest, 'hex');
		if (this.#recent.find(digest, isSame) !== undefined) return true;
		if (this.#recent.has(packId)) return false;
		const footer = await this.#footer({ packId }, signal);
		return footer !== undefined && refsIn(footer, digest).some(isSame);
	}

	/** The footer of a pack; undefined for one that is not there, or whose footer is damaged. */
	async footerOf(packId: string, signal?: AbortSignal): Promise<PackEntries | undefined> {
		return this.#footer({ packId }, signal);
	}

	/** A place of this digest that `usable` lets pass, confirmed by the pack's footer. */
	async find(digest: Buffer, usable: (ref: ChunkRef) => boolean, signal?: AbortSignal): Promise<ChunkRef | undefined> {
		const recent = this.#recent.find(digest, usable);
		if (recent !== undefined) return recent;
		if (!this.#indexes.mayHave(digest)) return undefined; // nearly every new chunk
		const asked = new Set<string>();
		for await (const { packId, packBytes, offsetBytes, storedBytes } of this.#indexes.find(digest, signal)) {
			const hex = digest.toString('hex'); // not for chunks that are new
			// Its footer tells of all places that the pack has of this chunk.
			if (asked.has(packId) || !usable({ digest: hex, packId, offsetBytes, storedBytes })) continue;
			asked.add(packId);
			const footer = await this.#footer({ packId, packBytes }, signal);
			const ref = footer && refsIn(footer, digest).find(usable);
			if (ref !== undefined) return ref;
		}
		return undefined;
	}

	/** Read once for all that wait for it. */
	async #footer(pack: NamedPack, signal: AbortSignal | undefined): Promise<PackEntries | undefined> {
		const { packId } = pack;
		if (this.#useless.has(packId)) return undefined;
		const reading = this.#reading.get(packId) ?? this.#read(pack, signal);
		this.#reading.set(packId, reading);
		try {
			return await reading;
		} finally {
			this.#reading.delete(packId);
		}
	}

	async #read(pack: NamedPack, signal: AbortSignal | undefined): Promise<PackEntries | undefined> {
		try {
			const footer = await this.#readFooter(pack, signal);
			if (footer === undefined) this.#useless.add(pack.packId);
			else this.#recent.add(footer);
			return footer;
		} catch (error) {
			if (!isUnusable(error)) throw error;
			this.#useless.add(pack.packId);
			this.unreadablePacks.add(pack.packId);
			return undefined;
		}
	}
}

/** From the store; the length that an index has of a pack may be wrong. */
export function footersOf(store: Store): ReadFooter {
	return async ({ packId, packBytes }, signal) => {
		try {
			if (packBytes !== undefined) return await readPackEntries(store, { packId, sizeBytes: packBytes }, signal);
		} catch (error) {
			if (!isUnusable(error)) throw error;
		}
		const sizeBytes = await store.size(keys.pack(packId), signal);
		return sizeBytes === undefined ? undefined : readPackEntries(store, { packId, sizeBytes }, signal);
	};
}
