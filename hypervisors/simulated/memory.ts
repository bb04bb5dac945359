import type { BlockJournal } from './block-journal.ts';

/**
 * What only the process knows in which a machine's guest acts: reads that the mount mover has not answered. When that
 * process dies they die with it, as the requests of a guest do whose platform died.
 */
export class MachineMemory {
	/** Each settles when its read does, and never rejects. */
	readonly reads = new Set<Promise<void>>();
	readonly #journals = new Map<string, BlockJournal>();
	/** The guest has reset itself, and its reads have yet to be answered. */
	resetting = false;
	#power = new AbortController();
	#change = Promise.withResolvers<void>();

	/** Aborted when the machine loses its power, or is reset. */
	get power(): AbortSignal {
		return this.#power.signal;
	}

	/** Reads under way are lost. */
	dropReads(): void {
		this.#power.abort(new Error('the machine has ended'));
		this.#power = new AbortController();
		this.resetting = false;
	}

	/** Kept by its path: it is read again only as far as it has grown. */
	journal(path: string, open: () => BlockJournal): BlockJournal {
		const known = this.#journals.get(path) ?? open();
		this.#journals.set(path, known);
		return known;
	}

	/** Resolves at the next change of what runs that is made in this process. */
	nextChange(): Promise<void> {
		return this.#change.promise;
	}

	changed(): void {
		const { resolve } = this.#change;
		this.#change = Promise.withResolvers<void>();
		resolve();
	}
}
