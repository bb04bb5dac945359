import type { ChunkRef } from '../../model/chunk.ts';
import { asRouseError, type ErrorDocument, RouseError } from '../../model/errors.ts';
import type { ChunkSource } from '../../repository/chunk-source.ts';
import { isDamage } from '../../repository/fetch-chunk.ts';
import { decodeChunk } from '../../repository/format/chunk.ts';
import { Backoff } from '../repository-mover/backoff.ts';
import { callAll } from './call-all.ts';

export interface WantedChunk {
	/** Tells chunks of all disks apart. */
	key: number;
	ref: ChunkRef;
	rawBytes: number;
}

/** Gets the verified bytes, or the damage (`chunk_bad`, `chunk_missing`, `format_damaged`) after it was located anew. */
export type ChunkWaiter = (outcome: Buffer | RouseError) => void;

interface Want extends WantedChunk {
	waiters: Set<ChunkWaiter>;
	fetching: boolean;
}

export interface ChunkFetcherOptions {
	source: ChunkSource;
	/** Every chunk that was verified: decoded, and as it was stored (valid until the call returns). */
	onChunk: (key: number, chunk: Buffer, stored: Uint8Array) => void;
	onDamage: (key: number, error: RouseError) => void;
}

/** Requests under way at once for reads that wait, and how many chunks one of them asks for. */
const urgentFetches = 4;
const urgentBatch = 32;
/** Ahead of reads: one request at a time, and only while no read waits for one to be sent. */
const aheadBatch = 16;
const aheadQueue = 256;

/**
 * Fetches chunks: each at most once at a time however many want it, those wanted together in one request, those that
 * reads wait for before those that may be read next. Nothing leaves it that did not match its digest. A source that does
 * not answer is asked for ever.
 */
export class ChunkFetcher {
	readonly #options: ChunkFetcherOptions;
	readonly #wants = new Map<number, Want>();
	/** Both in the order to be sent. */
	readonly #urgent = new Set<Want>();
	readonly #ahead = new Set<Want>();
	#urgentRunning = 0;
	#aheadRunning = false;
	#scheduled = false;
	readonly #closed = new AbortController();
	#trouble: ErrorDocument | undefined;

	constructor(options: ChunkFetcherOptions) {
		this.#options = options;
	}

	/** Why the source did not answer the last time, while it has not answered since. */
	get trouble(): ErrorDocument | undefined {
		return this.#trouble;
	}

	/** Calls `waiter` once, later, unless the returned function is called before. */
	want(chunk: WantedChunk, waiter: ChunkWaiter): () => void {
		const want = this.#wants.get(chunk.key) ?? this.#add(chunk);
		want.waiters.add(waiter);
		if (!want.fetching) {
			this.#ahead.delete(want);
			this.#urgent.add(want);
			this.#schedule();
		}
		return () => this.#unwant(want, waiter);
	}

	/** Fetches it when there is time. Dropped when there is more to fetch ahead than is worth while. */
	wantAhead(chunk: WantedChunk): void {
		if (this.#wants.has(chunk.key)) return;
		this.#ahead.add(this.#add(chunk));
		for (const oldest of this.#ahead) {
			if (this.#ahead.size <= aheadQueue) break;
			this.#ahead.delete(oldest);
			this.#wants.delete(oldest.key);
		}
		this.#schedule();
	}

	/** Waiters are not called any more. It does not close the source. */
	close(): void {
		this.#closed.abort(new RouseError('interrupted', 'the mount mover ends'));
		this.#wants.clear();
		this.#urgent.clear();
		this.#ahead.clear();
	}

	#add(chunk: WantedChunk): Want {
		const want: Want = { ...chunk, waiters: new Set(), fetching: false };
		this.#wants.set(chunk.key, want);
		return want;
	}

	#unwant(want: Want, waiter: ChunkWaiter): void {
		want.waiters.delete(waiter);
		if (want.waiters.size > 0 || !this.#urgent.delete(want)) return;
		this.#wants.delete(want.key);
	}

	/** At the end of what happens now, so that all that one event wants goes into one request. */
	#schedule(): void {
		if (this.#scheduled) return;
		this.#scheduled = true;
		queueMicrotask(() => {
			this.#scheduled = false;
			this.#send();
		});
	}

	#send(): void {
		while (this.#urgent.size > 0 && this.#urgentRunning < urgentFetches) {
			this.#urgentRunning += 1;
			void this.#run(takeFrom(this.#urgent, urgentBatch)).finally(() => {
				this.#urgentRunning -= 1;
				this.#send();
			});
		}
		if (this.#urgent.size > 0 || this.#ahead.size === 0 || this.#aheadRunning || this.#trouble) return;
		this.#aheadRunning = true;
		void this.#run(takeFrom(this.#ahead, aheadBatch)).finally(() => {
			this.#aheadRunning = false;
			this.#send();
		});
	}

	/** Ends when every chunk of the batch was delivered or is known to be damaged. */
	async #run(batch: readonly Want[]): Promise<void> {
		const { signal } = this.#closed;
		const backoff = new Backoff();
		let next = 0;
		let locate = false;
		const delivered = () => {
			next += 1;
			locate = false;
			backoff.reset();
			this.#trouble = undefined;
		};
		while (next < batch.length && !signal.aborted) {
			try {
				await this.#fetch(batch.slice(next, locate ? next + 1 : undefined), locate, delivered);
			} catch (thrown) {
				if (signal.aborted) return;
				if (!isDamage(thrown)) {
					this.#trouble = asRouseError(thrown).toDocument();
					await backoff.wait(signal).catch(() => {}); // only ever aborted
				} else if (locate || thrown.code === 'chunk_missing') {
					// Sources answer in order, so whatever is damaged is the next one; and of one that is missing every pack was
					// asked already.
					this.#condemn(batch[next], thrown);
					delivered();
				} else locate = true;
			}
		}
	}

	async #fetch(wants: readonly Want[], locate: boolean, delivered: () => void): Promise<void> {
		const refs = wants.map(({ ref }) => ref);
		const answers = this.#options.source.fetch(refs, { class: 'mount', locate, signal: this.#closed.signal });
		let count = 0;
		for await (const { stored } of answers) {
			const want = wants[count];
			if (want === undefined) throw new RouseError('protocol', `more than the ${wants.length} chunks asked for`);
			const chunk = decodeChunk(want.ref, stored, want.rawBytes);
			count += 1;
			delivered();
			this.#settle(want, chunk, () => this.#options.onChunk(want.key, chunk, stored));
		}
		if (count < wants.length) throw new RouseError('protocol', `${count} chunks of the ${wants.length} asked for`);
	}

	#condemn(want: Want | undefined, error: RouseError): void {
		if (want) this.#settle(want, error, () => this.#options.onDamage(want.key, error));
	}

	/** Throws nothing: that would be taken for trouble of the source. */
	#settle(want: Want, outcome: Buffer | RouseError, tell: () => void): void {
		if (this.#closed.signal.aborted) return;
		this.#wants.delete(want.key);
		callAll([tell], undefined);
		callAll(want.waiters, outcome);
	}
}

function takeFrom(queue: Set<Want>, count: number): Want[] {
	const taken: Want[] = [];
	for (const want of queue) {
		if (taken.length === count) break;
		queue.delete(want);
		want.fetching = true;
		taken.push(want);
	}
	return taken;
}
