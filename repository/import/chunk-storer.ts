import type { ChunkRef } from '../../model/chunk.ts';
import { RouseError } from '../../model/errors.ts';
import { type DigestedChunk, digestChunk, encodeChunk } from '../format/chunk.ts';
import type { ChunkKind } from '../format/frame-table.ts';
import type { Store } from '../store/contract.ts';
import { PackWriter, type StoredPack } from './pack-writer.ts';
import { StoredChunks } from './stored-chunks.ts';

/** Where a chunk stands on the disk being imported; height 0 for chunks, 1 and more for pages (chunk-source.ts). */
export interface ChunkPosition {
	disk: number;
	height: number;
	number: number;
}

/** What the repository holds already, as docs/format.md, "An import" defines it. */
export interface KnownChunks {
	/** At the same position of the machine's latest point: its places win, so that pages stay shared. */
	inBase(digest: Buffer, position: ChunkPosition, rawBytes: number): Promise<ChunkRef | undefined>;
	/** Anywhere. */
	anywhere(digest: Buffer, rawBytes: number): Promise<ChunkRef | undefined>;
}

/** A chunk on its way into the repository; equal ones that are under way at once are one. */
export interface PreparedChunk {
	digest: Buffer;
	rawBytes: number;
	/** Where it lies; of a new one since it was stored. */
	ref?: ChunkRef | undefined;
	/** What is to be stored, until it is. */
	stored?: Buffer | undefined;
}

export interface ChunkStorerOptions {
	kind: ChunkKind;
	frameSizeBytes: number;
	packBytes: number;
	known: KnownChunks;
	/** Makes packs findable for later imports. */
	writeIndex: (packs: readonly StoredPack[]) => Promise<void>;
	before?: () => Promise<void>;
	onStored?: (pack: StoredPack) => Promise<void>;
	signal?: AbortSignal | undefined;
}

/** Stores chunks that are not known yet: digest, look up, compress, append to a pack. */
export class ChunkStorer {
	readonly #options: ChunkStorerOptions;
	readonly #packs: PackWriter;
	readonly #own = new StoredChunks();
	/** Chunks that are new to the base and to this import and not stored yet, by digest in hex. */
	readonly #underWay = new Map<string, Promise<PreparedChunk>>();
	/** Bytes, before compression, of chunks that were not known. */
	newBytes = 0;

	constructor(store: Store, options: ChunkStorerOptions) {
		const { kind, packBytes, before, onStored, signal } = options;
		this.#options = options;
		this.#packs = new PackWriter(store, {
			kind,
			packBytes,
			before,
			signal,
			onStored: async pack => {
				await onStored?.(pack);
				const full = this.#own.stored(pack);
				if (full !== undefined) await this.#index(full);
			},
		});
	}

	get storedBytes(): number {
		return this.#packs.storedBytes;
	}

	/**
	 * Looks the chunk up and compresses it when it is new. May run for several chunks at once; equal ones get the same answer.
	 * `raw` must not change until the promise is settled, and may afterwards.
	 */
	async prepare(raw: Buffer, position: ChunkPosition): Promise<PreparedChunk> {
		const { kind, frameSizeBytes, known } = this.#options;
		const digested = digestChunk(raw, frameSizeBytes, kind);
		const { digest } = digested;
		const rawBytes = raw.length;
		const inBase = await known.inBase(digest, position, rawBytes);
		if (inBase !== undefined) return { digest, rawBytes, ref: inBase };
		const own = this.#own.find(digest);
		if (own !== undefined) return { digest, rawBytes, ref: own };
		const key = digest.toString('hex');
		// Registered before the next `await`, so that an equal chunk finds it. That may be one before it on the disk, whose turn in
		// the base took longer: it waits until there is something to store.
		const preparing = this.#underWay.get(key) ?? this.#prepareNew(digested);
		this.#underWay.set(key, preparing);
		return preparing;
	}

	async #prepareNew(digested: DigestedChunk): Promise<PreparedChunk> {
		const { digest, raw } = digested;
		const ref = await this.#options.known.anywhere(digest, raw.length);
		const stored = ref === undefined ? encodeChunk(digested) : undefined;
		return { digest, rawBytes: raw.length, ref, stored };
	}

	/** Must be called in the order in which chunks were prepared: so an equal chunk before this one has its place. */
	async store(prepared: PreparedChunk): Promise<ChunkRef> {
		const { digest, rawBytes, stored } = prepared;
		const hex = digest.toString('hex');
		if (prepared.ref === undefined && stored !== undefined) {
			const place = await this.#packs.append(hex, stored, rawBytes);
			prepared.ref = { digest: hex, ...place, storedBytes: stored.length };
			prepared.stored = undefined;
			this.#own.add(digest, prepared.ref);
			this.newBytes += rawBytes;
		}
		this.#underWay.delete(hex);
		if (prepared.ref === undefined)
			throw new RouseError('internal', `chunk ${hex} was prepared without a place or bytes`);
		return prepared.ref;
	}

	/** Whether a chunk lies in a pack that is not in the store yet. */
	isOpen(packId: string): boolean {
		return this.#packs.isOpen(packId);
	}

	/** Returns when everything stored is in the store. */
	async flush(): Promise<void> {
		await this.#packs.flush();
	}

	/** After `flush`: an index for the packs that have none. */
	async indexRest(): Promise<void> {
		const rest = this.#own.rest();
		if (rest.length > 0) await this.#index(rest);
	}

	/** Leaves nothing half-written. */
	async abandon(): Promise<void> {
		await this.#packs.abandon();
	}

	async #index(packs: readonly StoredPack[]): Promise<void> {
		await this.#options.writeIndex(packs);
		this.#own.forget(packs);
	}
}
