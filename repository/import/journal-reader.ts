import { isUnusable } from '../damage.ts';
import {
	decodeJournal,
	isBefore,
	type JournalIdentity,
	type JournalObject,
	type JournalPlace,
	type JournalRun,
	placeBehind,
} from '../format/journal.ts';
import { journalOfKey, keys } from '../format/keys.ts';
import { limits } from '../format/limits.ts';
import { chunkRefBytes, decodeChunkRef, type PageEntry } from '../format/reference.ts';
import { readObject } from '../read-object.ts';
import type { Store } from '../store/contract.ts';

/** Objects behind each other of which each begins where the one before it ends; what is behind `ends` is void. */
interface Stretch {
	firstNumber: number;
	lastNumber: number;
	begins: JournalPlace;
	ends: JournalPlace;
}

type Scope = Pick<JournalIdentity, 'importId' | 'chunkCounts' | 'hasBase'>;

/** What a journal tells of a chunk: where it is, that it is zero, or that it is what this disk of the base has there. */
export type TellingOfChunk = PageEntry | { baseDisk: number };

/**
 * What a journal tells, from its first chunk to its last. It is read twice, one object at a time: once to know which of its
 * objects a later one has made void, and once while it is asked. So it takes one object of memory, however long it is.
 */
export class JournalReader {
	readonly #store: Store;
	readonly #scope: Scope;
	readonly #signal: AbortSignal | undefined;
	readonly #told: Told;
	#cursor: AsyncGenerator<JournalRun> | undefined;
	#run: JournalRun | undefined;
	/** Of the next object. */
	readonly nextNumber: number;

	private constructor(store: Store, scope: Scope, told: Told, nextNumber: number, signal: AbortSignal | undefined) {
		this.#store = store;
		this.#scope = scope;
		this.#told = told;
		this.nextNumber = nextNumber;
		this.#signal = signal;
	}

	static async open(store: Store, scope: Scope, signal?: AbortSignal): Promise<JournalReader> {
		const told = new Told(scope.chunkCounts);
		let nextNumber = 0;
		for await (const { key } of store.list(keys.journalOf(scope.importId), signal)) {
			const number = journalOfKey(key)?.number;
			if (number === undefined) continue;
			nextNumber = number + 1;
			const object = await readJournal(store, { ...scope, number }, signal);
			if (object !== undefined) told.add(number, object);
		}
		return new JournalReader(store, scope, told, nextNumber, signal);
	}

	/** Where it ends: all before was told. */
	get ends(): JournalPlace {
		return this.#told.ends;
	}

	/** In ascending order. Undefined behind the end, and for what is damaged or gone since it was opened. */
	async recall(place: JournalPlace): Promise<TellingOfChunk | undefined> {
		const run = await this.#runAt(place);
		return run === undefined || isBefore(place, beginOf(run)) ? undefined : entryOf(run, place.chunk);
	}

	/** Of so many chunks the first that has a reference; the one behind them when there is none. In the same order. */
	async nextReference({ disk, chunk }: JournalPlace, count: number): Promise<number> {
		const end = chunk + count;
		for (let next = chunk; next < end; ) {
			const run = await this.#runAt({ disk, chunk: next });
			if (run === undefined || run.disk !== disk) return end;
			if (run.refs !== undefined) return Math.min(end, Math.max(next, run.firstChunk));
			next = run.firstChunk + run.count;
		}
		return end;
	}

	/** The run that has this place, or the first behind it. */
	async #runAt(place: JournalPlace): Promise<JournalRun | undefined> {
		if (!isBefore(place, this.ends)) return undefined;
		this.#cursor ??= this.#runs();
		this.#run ??= await this.#nextRun();
		while (this.#run !== undefined && !isBefore(place, this.#endOf(this.#run))) this.#run = await this.#nextRun();
		return this.#run;
	}

	async #nextRun(): Promise<JournalRun | undefined> {
		const next = await this.#cursor?.next();
		return next?.done === false ? next.value : undefined;
	}

	#endOf(run: JournalRun): JournalPlace {
		return placeBehind(beginOf(run), run.count, this.#scope.chunkCounts);
	}

	async *#runs(): AsyncGenerator<JournalRun> {
		for (const { firstNumber, lastNumber, ends } of this.#told.stretches)
			for (let number = firstNumber; number <= lastNumber; number++) {
				const object = await readJournal(this.#store, { ...this.#scope, number }, this.#signal);
				for (const run of object?.runs ?? []) {
					if (!isBefore(beginOf(run), ends)) break;
					yield cutAt(run, ends);
				}
			}
	}
}

/** Which objects tell of what: a later one wins from where it begins. */
class Told {
	readonly #chunkCounts: readonly number[];
	readonly #stretches: Stretch[] = [];

	constructor(chunkCounts: readonly number[]) {
		this.#chunkCounts = chunkCounts;
	}

	get stretches(): readonly Stretch[] {
		return this.#stretches;
	}

	get ends(): JournalPlace {
		return this.#stretches.at(-1)?.ends ?? { disk: 0, chunk: 0 };
	}

	/** In the order of their numbers. */
	add(number: number, { begins, runs }: JournalObject): void {
		if (isBefore(this.ends, begins)) return; // what lies between was in an object that is missing or damaged
		const isNext = !isBefore(begins, this.ends) && this.#stretches.at(-1)?.lastNumber === number - 1;
		const last = runs.at(-1);
		const ends = last === undefined ? begins : placeBehind(beginOf(last), last.count, this.#chunkCounts);
		this.#cut(begins);
		const stretch = this.#stretches.at(-1);
		if (isNext && stretch !== undefined) {
			stretch.lastNumber = number;
			stretch.ends = ends;
		} else if (isBefore(begins, ends)) this.#stretches.push({ firstNumber: number, lastNumber: number, begins, ends });
	}

	#cut(at: JournalPlace): void {
		for (let last = this.#stretches.at(-1); last !== undefined; last = this.#stretches.at(-1)) {
			if (isBefore(last.begins, at)) {
				if (isBefore(at, last.ends)) last.ends = at;
				return;
			}
			this.#stretches.pop();
		}
	}
}

/** Undefined for one that is not there, damaged, or lost by the medium: what it told of is read again. */
async function readJournal(
	store: Store,
	identity: JournalIdentity,
	signal: AbortSignal | undefined,
): Promise<JournalObject | undefined> {
	try {
		const key = keys.journal(identity.importId, identity.number);
		const bytes = await readObject(store, key, { maxBytes: limits.journalBytes, signal });
		return bytes && decodeJournal(bytes, identity);
	} catch (error) {
		if (isUnusable(error)) return undefined;
		throw error;
	}
}

function beginOf({ disk, firstChunk }: JournalRun): JournalPlace {
	return { disk, chunk: firstChunk };
}

function entryOf({ firstChunk, refs, baseDisk }: JournalRun, chunk: number): TellingOfChunk {
	if (baseDisk !== undefined) return { baseDisk };
	return refs === undefined ? 'zero' : decodeChunkRef(refs, (chunk - firstChunk) * chunkRefBytes);
}

/** What of a run lies before a place. */
function cutAt(run: JournalRun, ends: JournalPlace): JournalRun {
	return run.disk === ends.disk ? { ...run, count: Math.min(run.count, ends.chunk - run.firstChunk) } : run;
}
