import { asRouseError, type ErrorDocument, RouseError } from '../../model/errors.ts';
import type { DiskReader } from '../../repository/disk-reader.ts';
import { isDamage } from '../../repository/fetch-chunk.ts';
import { pageEntries } from '../../repository/format/page-map.ts';
import type { PageEntry } from '../../repository/format/reference.ts';
import { Backoff } from '../repository-mover/backoff.ts';
import { callAll } from './call-all.ts';

/** Undefined: the page is there, look again. Otherwise what is wrong with it. */
export type PageWaiter = (damage: RouseError | undefined) => void;

/**
 * The entries of one disk's page map: at once when the page is at hand, else after it was loaded. A page of a source
 * that does not answer is asked for, for ever.
 */
export class PageLookup {
	readonly #reader: DiskReader;
	readonly #onDamage: (firstIndex: number, error: RouseError) => void;
	/** Leaves that are zero as a whole have no page: kept here, a number for each 128 MiB of disk at the default. */
	readonly #zeroLeaves = new Set<number>();
	readonly #waiters = new Map<number, Set<PageWaiter>>();
	readonly #closed = new AbortController();
	#trouble: ErrorDocument | undefined;

	constructor(reader: DiskReader, onDamage: (firstIndex: number, error: RouseError) => void) {
		this.#reader = reader;
		this.#onDamage = onDamage;
	}

	get trouble(): ErrorDocument | undefined {
		return this.#trouble;
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
		const backoff = new Backoff();
		while (!signal.aborted) {
			try {
				const page = await this.#reader.leafPage(index, { signal });
				this.#trouble = undefined;
				if (page === undefined) this.#zeroLeaves.add(leaf);
				break;
			} catch (thrown) {
				if (signal.aborted) return;
				if (isDamage(thrown)) {
					this.#onDamage(leaf * pageEntries, thrown);
					this.#tell(leaf, thrown);
					return;
				}
				this.#trouble = asRouseError(thrown).toDocument();
				await backoff.wait(signal).catch(() => {}); // only ever aborted
			}
		}
		this.#tell(leaf, undefined);
	}

	#tell(leaf: number, damage: RouseError | undefined): void {
		const waiters = this.#waiters.get(leaf) ?? [];
		this.#waiters.delete(leaf);
		callAll(waiters, damage);
	}
}

export function leafOf(index: number): number {
	return Math.floor(index / pageEntries);
}
