import { asRouseError, RouseError } from '../../model/errors.ts';
import { isDamage } from '../../repository/damage.ts';
import type { DiskReader } from '../../repository/disk-reader.ts';
import { pageEntries } from '../../repository/format/page-map.ts';
import type { PageEntry } from '../../repository/format/reference.ts';
import { callAll } from './call-all.ts';

/** Undefined: the page is there, look again. Otherwise why it is not. */
export type PageWaiter = (failure: RouseError | undefined) => void;

/** The entries of one disk's page map: at once when the page is at hand, else after it was loaded. */
export class PageLookup {
	readonly #reader: DiskReader;
	readonly #onDamage: (firstIndex: number, error: RouseError) => void;
	/** Leaves that are zero as a whole have no page: kept here, a number for each 128 MiB of disk at the default. */
	readonly #zeroLeaves = new Set<number>();
	readonly #waiters = new Map<number, Set<PageWaiter>>();
	readonly #closed = new AbortController();

	constructor(reader: DiskReader, onDamage: (firstIndex: number, error: RouseError) => void) {
		this.#reader = reader;
		this.#onDamage = onDamage;
	}

	/** Undefined when the page has to be loaded first. */
	entry(index: number): PageEntry | undefined {
		return this.#zeroLeaves.has(leafOf(index)) ? 'zero' : this.#reader.lookupCached(index);
	}

	/** Loads the page of a chunk and calls `waiter` once, later, unless the returned function is called before. */
	load(index: number, waiter: PageWaiter): () => void {
		const leaf = leafOf(index);
		let waiters = this.#waiters.get(leaf);
		if (waiters === undefined) {
			waiters = new Set();
			this.#waiters.set(leaf, waiters);
			void this.#load(index, leaf);
		}
		waiters.add(waiter);
		return () => waiters.delete(waiter);
	}

	close(): void {
		this.#closed.abort(new RouseError('interrupted', 'the mount mover ends'));
		this.#waiters.clear();
	}

	async #load(index: number, leaf: number): Promise<void> {
		const { signal } = this.#closed;
		try {
			const page = await this.#reader.leafPage(index, { signal });
			if (page === undefined) this.#zeroLeaves.add(leaf);
			this.#tell(leaf, undefined);
		} catch (thrown) {
			// Of a source that never gives up only its end. Another one's failure damages nothing: the next read asks again.
			if (signal.aborted) return;
			if (isDamage(thrown)) this.#onDamage(leaf * pageEntries, thrown);
			this.#tell(leaf, asRouseError(thrown));
		}
	}

	#tell(leaf: number, failure: RouseError | undefined): void {
		const waiters = this.#waiters.get(leaf) ?? [];
		this.#waiters.delete(leaf);
		callAll(waiters, failure);
	}
}

function leafOf(index: number): number {
	return Math.floor(index / pageEntries);
}
