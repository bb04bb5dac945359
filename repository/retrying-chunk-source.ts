import { asRouseError, type ErrorDocument, RouseError } from '../model/errors.ts';
import type { Clock } from '../system/clock.ts';
import {
	type ChunkClass,
	type ChunkSource,
	isRangeSource,
	type PlacedRef,
	type RangeSource,
	type StoredChunk,
	type StoredRange,
} from './chunk-source.ts';
import { isDamage } from './damage.ts';

/** Doubled from one failure to the next; short enough that a mover that was started again is found at once. */
const firstWaitMs = 50;
const longestWaitMs = 2_000;

/**
 * A source that never gives up: for readers who can only wait, a guest and what is to be copied for it. Whatever a fetch
 * fails with, it goes on at the first chunk that was not yielded, after a wait; its caller sees only that it took longer.
 * Thrown are damage, which no waiting mends, and the reasons of the signal and of `close`.
 */
export class RetryingChunkSource implements ChunkSource {
	readonly #source: ChunkSource;
	readonly #clock: Pick<Clock, 'delay'>;
	readonly #closed = new AbortController();
	#trouble: ErrorDocument | undefined;

	constructor(source: ChunkSource, clock: Pick<Clock, 'delay'>) {
		this.#source = source;
		this.#clock = clock;
	}

	/** Why the last attempt of any fetch failed, while neither a chunk has come since nor word of its damage: what to tell while it waits. */
	get trouble(): ErrorDocument | undefined {
		return this.#trouble;
	}

	/** A chunk has come on another way: what troubled this one is over. */
	cameThrough(): void {
		this.#trouble = undefined;
	}

	async *fetch(
		refs: readonly PlacedRef[],
		options: { class: ChunkClass; locate?: boolean; signal?: AbortSignal | undefined },
	): AsyncGenerator<StoredChunk, void, undefined> {
		const signal = options.signal ? AbortSignal.any([options.signal, this.#closed.signal]) : this.#closed.signal;
		let waitMs = firstWaitMs;
		for (let done = 0; done < refs.length; ) {
			try {
				for await (const chunk of this.#source.fetch(refs.slice(done), { ...options, signal })) {
					done += 1;
					waitMs = firstWaitMs;
					this.#trouble = undefined;
					yield chunk;
				}
				if (done < refs.length) throw new RouseError('protocol', `an answer of ${done} of ${refs.length} chunks`);
			} catch (thrown) {
				signal.throwIfAborted();
				if (isDamage(thrown)) {
					this.#trouble = undefined; // it has answered
					throw thrown;
				}
				this.#trouble = asRouseError(thrown).toDocument();
				await this.#clock.delay(waitMs, signal).catch(() => {}); // only ever aborted
				signal.throwIfAborted();
				waitMs = Math.min(longestWaitMs, waitMs * 2);
			}
		}
	}

	/** What its source gives without trying again, for fast paths; undefined when that has no ranges. */
	get once(): Pick<RangeSource, 'ranges' | 'readNow'> | undefined {
		const source = this.#source;
		if (!isRangeSource(source)) return undefined;
		return {
			ranges: (refs, options) => this.#ranges(source.ranges(refs, options)),
			...(source.readNow ? { readNow: (ref, into) => source.readNow?.(ref, into) === true } : {}),
		};
	}

	async *#ranges(ranges: AsyncIterable<StoredRange>): AsyncGenerator<StoredRange, void, undefined> {
		for await (const range of ranges) {
			this.#trouble = undefined;
			yield range;
		}
	}

	/** Ends every fetch, and closes its source. */
	async close(): Promise<void> {
		this.#closed.abort(new RouseError('interrupted', 'the source of chunks was closed'));
		await this.#source.close();
	}
}
