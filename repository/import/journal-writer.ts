import { randomBytes } from 'node:crypto';
import type { ChunkRef } from '../../model/chunk.ts';
import { RouseError } from '../../model/errors.ts';
import type { Clock } from '../../system/clock.ts';
import { encodeJournal, type JournalPlace, type JournalRun, placeBehind } from '../format/journal.ts';
import { keys } from '../format/keys.ts';
import { limits } from '../format/limits.ts';
import { readObject } from '../read-object.ts';
import type { Store } from '../store/contract.ts';
import { JournalQueue } from './journal-queue.ts';

/** Whoever asks whether an import lives expects an object every 5 minutes (docs/format.md, "Alive"); a put may take long. */
const beatMs = 2 * 60_000;

/** An object of so many references is written although no pack was closed: all of them were known before. */
const referencesAnObject = 65_536;
/** The same for runs without references, of which there may be many. */
const bytesAnObject = 4 * 1024 * 1024;

/** A folder holds a million names (docs/format.md, "Limits"): behind so many objects each one tells of a gigabyte or more. */
const smallObjects = 100_000;
const laterObjectBytes = 1024 * 1024;

/** Where an attempt begins. */
export interface AttemptPlace {
	importId: string;
	chunkCounts: readonly number[];
	/** All before was told by others. */
	begins: JournalPlace;
	/** Of its first object. */
	number: number;
	/** False: its objects say that it lives, and nothing else. */
	tells: boolean;
}

interface Surroundings {
	clock: Clock;
	signal?: AbortSignal | undefined;
}

/**
 * One attempt's objects of a journal: a first one that says so, then one whenever all packs that it names are in the store, and
 * one every two minutes at least. After an error it writes no more.
 */
export class JournalWriter {
	readonly #store: Store;
	readonly #place: AttemptPlace;
	readonly #surroundings: Surroundings;
	readonly #attempt = randomBytes(16).toString('hex');
	readonly #queue: JournalQueue;
	readonly #ended = new AbortController();
	readonly #closed = new AbortController();
	/** Neither of the two ever rejects. */
	#writing: Promise<unknown> = Promise.resolve();
	#beating: Promise<void> = Promise.resolve();
	#number: number;
	/** Where the next object begins. */
	#written: JournalPlace;
	#wroteAt = 0;

	private constructor(store: Store, place: AttemptPlace, surroundings: Surroundings) {
		this.#store = store;
		this.#place = place;
		this.#surroundings = surroundings;
		this.#queue = new JournalQueue(place.chunkCounts, place.begins);
		this.#number = place.number;
		this.#written = place.begins;
	}

	/** Undefined when another attempt has taken the place. */
	static async begin(
		store: Store,
		place: AttemptPlace,
		surroundings: Surroundings,
	): Promise<JournalWriter | undefined> {
		const writer = new JournalWriter(store, place, surroundings);
		if (!(await writer.#put([]))) return undefined;
		writer.#beating = writer.#beat();
		return writer;
	}

	/** Aborted with the reason when it cannot go on. */
	get ended(): AbortSignal {
		return this.#ended.signal;
	}

	get waitingBytes(): number {
		return this.#queue.waitingBytes;
	}

	async add(place: JournalPlace, ref: ChunkRef, openPack: string | undefined): Promise<void> {
		this.ended.throwIfAborted();
		if (!this.#place.tells) return;
		this.#queue.add(place, ref, openPack);
		await this.#tellIfMuch();
	}

	async addBase(place: JournalPlace, count: number, baseDisk: number): Promise<void> {
		this.ended.throwIfAborted();
		if (!this.#place.tells) return;
		this.#queue.addBase(place, count, baseDisk);
		await this.#tellIfMuch();
	}

	async endDisk(disk: number): Promise<void> {
		this.ended.throwIfAborted();
		if (this.#place.tells) this.#queue.fillTo({ disk: disk + 1, chunk: 0 });
	}

	async packStored(packId: string): Promise<void> {
		this.ended.throwIfAborted();
		this.#queue.packStored(packId);
		await this.#tell();
	}

	/** Waits for the object that is being written. */
	async close(): Promise<void> {
		this.#closed.abort();
		await this.#beating;
		await this.#writing;
	}

	async #tellIfMuch(): Promise<void> {
		const { references, bytes } = this.#queue.ready;
		if (references >= referencesAnObject || bytes >= bytesAnObject) await this.#tell();
	}

	/** Writes what is ready. */
	async #tell(): Promise<void> {
		await this.#inTurn(async () => {
			for (;;) {
				const { bytes } = this.#queue.ready;
				if (bytes === 0 || (this.#number >= smallObjects && bytes < laterObjectBytes)) return;
				await this.#write();
			}
		});
	}

	async #beat(): Promise<void> {
		const { clock } = this.#surroundings;
		const { signal } = this.#closed;
		try {
			while (!signal.aborted && !this.ended.aborted) {
				const leftMs = this.#wroteAt + beatMs - clock.now();
				if (leftMs > 0) await clock.delay(leftMs, signal);
				else await this.#inTurn(() => this.#write());
			}
		} catch (error) {
			if (!signal.aborted) this.#ended.abort(error);
		}
	}

	/** One after the other; the first failure ends the import, and is what the others throw. */
	async #inTurn(work: () => Promise<void>): Promise<void> {
		const turn = this.#after(this.#writing, work);
		this.#writing = turn.catch((error: unknown) => this.#ended.abort(error));
		await turn;
	}

	async #after(before: Promise<unknown>, work: () => Promise<void>): Promise<void> {
		await before;
		this.ended.throwIfAborted();
		if (!this.#closed.signal.aborted) await work();
	}

	/** An object with what is ready, be it nothing. */
	async #write(): Promise<void> {
		if (await this.#put(this.#queue.take())) return;
		throw new RouseError(
			'import_superseded',
			`another attempt goes on with import ${this.#place.importId}: it has written ${this.#key}`,
			{ hint: 'let that one end; what was stored here is used by it, or by the next import' },
		);
	}

	/** False when another attempt has the number. */
	async #put(runs: readonly JournalRun[]): Promise<boolean> {
		const { importId, chunkCounts } = this.#place;
		const { clock, signal } = this.#surroundings;
		const bytes = encodeJournal(
			{ attempt: this.#attempt, begins: this.#written, runs },
			{ importId, number: this.#number },
		);
		if (!(await this.#store.putExclusive(this.#key, bytes, signal)) && !(await this.#isOurs(bytes))) return false;
		const last = runs.at(-1);
		if (last) this.#written = placeBehind({ disk: last.disk, chunk: last.firstChunk }, last.count, chunkCounts);
		this.#number++;
		this.#wroteAt = clock.now();
		return true;
	}

	/** No other attempt's object is the same: what is ours was put before, and the answer lost. */
	async #isOurs(bytes: Buffer): Promise<boolean> {
		const { signal } = this.#surroundings;
		const found = await readObject(this.#store, this.#key, { maxBytes: limits.journalBytes, signal });
		return found?.equals(bytes) ?? false;
	}

	get #key(): string {
		return keys.journal(this.#place.importId, this.#number);
	}
}
