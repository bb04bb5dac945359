import type { ChunkRef } from '../../model/chunk.ts';
import { RouseError } from '../../model/errors.ts';
import { digestChunk, encodeChunk } from '../format/chunk.ts';
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
	/** At the same position of the import's base, or else of the machine's latest point: its places win, so that pages stay shared. */
	inBase(digest: Buffer, position: ChunkPosition, rawBytes: number): Promise<ChunkRef | undefined>;
	/** Anywhere. */
	anywhere(digest: Buffer, rawBytes: number): Promise<ChunkRef | undefined>;
}

/** A chunk that is to be stored unless it is known. */
export interface WantedChunk {
	digest: Buffer;
	rawBytes: number;
	position: ChunkPosition;
}

/** Puts some of the chunks that were wanted into the form in which they are stored. */
export type EncodeChunks = (chunks: readonly WantedChunk[]) => Promise<readonly Buffer[]>;

/** A chunk on its way into the repository; equal ones that are under way at once are one. */
export interface PreparedChunk {
	rawBytes: number;
	/** Where it lies; of a new one since it was stored. */
	ref?: ChunkRef | undefined;
	/** What is to be stored, until it is. */
	stored?: Buffer | undefined;
	/** Its digest in hex while an equal one finds it by that. */
	underWay?: string | undefined;
}

/** One that was neither in the base nor stored by this import when it was asked for. */
interface Fresh {
	chunk: WantedChunk;
	prepared: PreparedChunk;
}

interface UnderWay {
	prepared: PreparedChunk;
	/** When it has either a place or what is to be stored. */
	ready: Promise<void>;
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

/** Stores chunks that are not known yet: look up, have them compressed, append to a pack. */
export class ChunkStorer {
	readonly #options: ChunkStorerOptions;
	readonly #packs: PackWriter;
	readonly #own = new StoredChunks();
	/** Chunks that are new to the base and to this import and not stored yet, by digest in hex. */
	readonly #underWay = new Map<string, UnderWay>();
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

	/** As {@link prepareAll}, of one chunk, which is digested and encoded at once. `raw` must not change until it is stored. */
	async prepare(raw: Buffer, position: ChunkPosition): Promise<PreparedChunk> {
		const { kind, frameSizeBytes } = this.#options;
		const digested = digestChunk(raw, frameSizeBytes, kind);
		const wanted = { digest: digested.digest, rawBytes: raw.length, position };
		const [prepared] = await this.prepareAll([wanted], async () => [encodeChunk(digested)]);
		if (prepared === undefined) throw new RouseError('internal', 'one chunk was asked for and none was prepared');
		return prepared;
	}

	/**
	 * Looks chunks up and has those encoded that are new. May run for several at once; equal ones get the same answer. What `encode`
	 * gives, and the digests, must not change until all of these chunks are stored.
	 */
	async prepareAll(wanted: readonly WantedChunk[], encode: EncodeChunks): Promise<readonly PreparedChunk[]> {
		const { known } = this.#options;
		const inBase = await Promise.all(
			wanted.map(({ digest, position, rawBytes }) => known.inBase(digest, position, rawBytes)),
		);
		const waitsFor = new Set<Promise<void>>();
		const fresh: Fresh[] = [];
		const { promise: ready, resolve, reject } = Promise.withResolvers<void>();
		// All of them are registered before the next `await`, so that equal chunks find them. One that does may be before them on the
		// disk, its turn in the base having taken longer: it waits until there is something to store, and they wait for nothing of it.
		const chunks = wanted.map((chunk, number): PreparedChunk => {
			const { digest, rawBytes } = chunk;
			const ref = inBase[number] ?? this.#own.find(digest);
			if (ref !== undefined) return { rawBytes, ref };
			const key = digest.toString('hex');
			const underWay = this.#underWay.get(key);
			if (underWay !== undefined) {
				waitsFor.add(underWay.ready);
				return underWay.prepared;
			}
			const prepared = { rawBytes, underWay: key };
			this.#underWay.set(key, { prepared, ready });
			fresh.push({ chunk, prepared });
			return prepared;
		});
		if (fresh.length > 0) {
			waitsFor.add(ready);
			this.#prepareNew(fresh, encode).then(resolve, reject);
		}
		if (waitsFor.size > 0) await Promise.all(waitsFor);
		return chunks;
	}

	async #prepareNew(fresh: readonly Fresh[], encode: EncodeChunks): Promise<void> {
		const { known } = this.#options;
		await Promise.all(
			fresh.map(async ({ chunk, prepared }) => {
				prepared.ref = await known.anywhere(chunk.digest, chunk.rawBytes);
			}),
		);
		const missing = fresh.filter(({ prepared }) => prepared.ref === undefined);
		if (missing.length === 0) return;
		const stored = await encode(missing.map(({ chunk }) => chunk));
		for (const [number, { prepared }] of missing.entries()) prepared.stored = stored[number];
	}

	/** Must be called in the order in which chunks were prepared: so an equal chunk before this one has its place. */
	async store(prepared: PreparedChunk): Promise<ChunkRef> {
		const { rawBytes, stored, underWay } = prepared;
		if (prepared.ref === undefined && stored !== undefined && underWay !== undefined) {
			const place = await this.#packs.append(underWay, stored, rawBytes);
			prepared.ref = { digest: underWay, ...place, storedBytes: stored.length };
			prepared.stored = undefined;
			this.#own.add(Buffer.from(underWay, 'hex'), prepared.ref);
			this.newBytes += rawBytes;
		}
		if (prepared.ref === undefined) throw new RouseError('internal', 'a chunk was prepared without a place or bytes');
		if (underWay !== undefined) this.#underWay.delete(underWay);
		prepared.underWay = undefined;
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
