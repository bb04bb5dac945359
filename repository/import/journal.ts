import type { ChunkRef } from '../../model/chunk.ts';
import type { Clock } from '../../system/clock.ts';
import type { Store } from '../store/contract.ts';
import { JournalReader, type TellingOfChunk } from './journal-reader.ts';
import { JournalWriter } from './journal-writer.ts';

/**
 * What an import has stored so far, for another attempt (docs/format.md, "Journal"). Chunks are added in the order of the
 * disks; what is left out is zero.
 */
export interface ImportJournal {
	/**
	 * What an earlier attempt has told of a chunk; asked for in ascending order, one after the other. Undefined where nothing was
	 * told, past the journal's end at any rate.
	 */
	recall(disk: number, index: number): Promise<TellingOfChunk | undefined>;
	/** Of so many chunks the first that was told with a reference; the one behind them when there is none. In the same order. */
	nextReference(disk: number, from: number, count: number): Promise<number>;
	/**
	 * A chunk; what lies before the journal's end was told already, and is passed over. `open`: its pack is not in the store
	 * yet, and `packStored` will tell when it is.
	 */
	add(disk: number, index: number, ref: ChunkRef, open: boolean): Promise<void>;
	/** So many chunks that are as on this disk of the base. */
	addBase(disk: number, from: number, count: number, baseDisk: number): Promise<void>;
	/** All of a disk was added. */
	endDisk(disk: number): Promise<void>;
	packStored(packId: string): Promise<void>;
	/** In objects, of what cannot be told before a pack is in the store: with too much of it the open one is to be closed. */
	readonly waitingBytes: number;
	/**
	 * Aborted when the import must end, with the reason: `import_superseded`, since another attempt goes on with it, or what
	 * the store has thrown. From then on every call throws that.
	 */
	readonly ended: AbortSignal;
	/** Nothing is written from then on. Idempotent. */
	close(): Promise<void>;
}

export interface JournalScope {
	importId: string;
	/** Null: there is no second attempt, so nothing is told but that the import goes on. */
	moment: string | null;
	/** Chunks of each disk. */
	chunkCounts: readonly number[];
	/** Whether the intent names a base. */
	hasBase: boolean;
}

/**
 * Takes an import's journal up, as a new attempt: whoever has written it until now ends. Its intent must stand. Throws what
 * the store throws.
 */
export async function beginJournal(
	store: Store,
	{ importId, moment, chunkCounts, hasBase }: JournalScope,
	{ clock, signal }: { clock: Clock; signal?: AbortSignal | undefined },
): Promise<ImportJournal> {
	for (;;) {
		const reader = await JournalReader.open(store, { importId, chunkCounts, hasBase }, signal);
		const tells = moment !== null;
		const { ends, nextNumber } = reader;
		const place = { importId, chunkCounts, begins: ends, number: nextNumber, tells };
		const writer = await JournalWriter.begin(store, place, { clock, signal });
		if (writer !== undefined) return new Journal(reader, writer, tells);
	}
}

class Journal implements ImportJournal {
	readonly #reader: JournalReader;
	readonly #writer: JournalWriter;
	readonly #tells: boolean;

	constructor(reader: JournalReader, writer: JournalWriter, tells: boolean) {
		this.#reader = reader;
		this.#writer = writer;
		this.#tells = tells;
	}

	async recall(disk: number, chunk: number): Promise<TellingOfChunk | undefined> {
		return this.#tells ? this.#reader.recall({ disk, chunk }) : undefined;
	}

	async nextReference(disk: number, from: number, count: number): Promise<number> {
		return this.#tells ? this.#reader.nextReference({ disk, chunk: from }, count) : from + count;
	}

	async add(disk: number, chunk: number, ref: ChunkRef, open: boolean): Promise<void> {
		await this.#writer.add({ disk, chunk }, ref, open ? ref.packId : undefined);
	}

	async addBase(disk: number, from: number, count: number, baseDisk: number): Promise<void> {
		await this.#writer.addBase({ disk, chunk: from }, count, baseDisk);
	}

	async endDisk(disk: number): Promise<void> {
		await this.#writer.endDisk(disk);
	}

	async packStored(packId: string): Promise<void> {
		await this.#writer.packStored(packId);
	}

	get waitingBytes(): number {
		return this.#writer.waitingBytes;
	}

	get ended(): AbortSignal {
		return this.#writer.ended;
	}

	async close(): Promise<void> {
		await this.#writer.close();
	}
}
