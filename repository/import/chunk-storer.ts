import { hash } from 'node:crypto';
import type { ChunkRef } from '../../model/chunk.ts';
import { encodeChunk } from '../format/chunk.ts';
import type { Store } from '../store/contract.ts';
import { KnownChunks } from './known-chunks.ts';
import { PackWriter, type PackWriterOptions } from './pack-writer.ts';

/** A chunk on its way into the repository. */
export interface PreparedChunk {
	entry: number;
	rawBytes: number;
	/** Undefined when it is known. */
	fresh: { digest: string; stored: Buffer } | undefined;
}

/** Stores chunks that are not known yet: digest, look up, compress, append to a pack. */
export class ChunkStorer {
	readonly #known: KnownChunks;
	readonly #packs: PackWriter;
	readonly #packNumbers = new Map<string, number>();
	/** Bytes, before compression, of chunks that were not known. */
	newBytes = 0;

	constructor(store: Store, known: KnownChunks, packs: PackWriterOptions) {
		this.#known = known;
		this.#packs = new PackWriter(store, packs);
	}

	get storedBytes(): number {
		return this.#packs.storedBytes;
	}

	/**
	 * Looks the chunk up and compresses it when it is new. May run for several chunks at once; of two equal ones the
	 * first is the new one. `raw` must not change until the promise is settled, and may afterwards.
	 */
	async prepare(raw: Buffer): Promise<PreparedChunk> {
		const digest = hash('sha256', raw, 'buffer');
		const entry = this.#known.find(digest);
		if (entry !== undefined) return { entry, rawBytes: raw.length, fresh: undefined };
		// Known from here on, before the first `await`, so that an equal chunk finds it.
		const added = this.#known.add(digest);
		const stored = await encodeChunk(raw);
		return { entry: added, rawBytes: raw.length, fresh: { digest: digest.toString('hex'), stored } };
	}

	/** Must be called in the order in which chunks were prepared: so an equal chunk before this one has its place. */
	async store({ entry, rawBytes, fresh }: PreparedChunk): Promise<ChunkRef> {
		if (fresh !== undefined) {
			const { packId, offsetBytes } = await this.#packs.append(fresh.digest, fresh.stored, rawBytes);
			this.#known.setPlace(entry, this.#packNumber(packId), offsetBytes, fresh.stored.length);
			this.newBytes += rawBytes;
		}
		return this.#known.ref(entry);
	}

	/** Returns when everything stored is in the store. */
	async flush(): Promise<void> {
		await this.#packs.flush();
	}

	#packNumber(packId: string): number {
		const known = this.#packNumbers.get(packId);
		if (known !== undefined) return known;
		const number = this.#known.addPack(packId);
		this.#packNumbers.clear(); // only the pack that is being filled is ever asked for
		this.#packNumbers.set(packId, number);
		return number;
	}
}
