import { RouseError } from '../../model/errors.ts';
import {
	type ChunkClass,
	chunksOf,
	type PlacedRef,
	type RangeSource,
	type StoredChunk,
	type StoredRange,
} from '../../repository/chunk-source.ts';
import type { MoverConnections } from './connections.ts';
import { ConnectionPool } from './pool.ts';
import { encodeRequest } from './protocol/requests.ts';
import { maxReferences } from './protocol/wire.ts';

interface Options {
	class: ChunkClass;
	locate?: boolean;
	signal?: AbortSignal | undefined;
}

/**
 * Chunks from a repository mover, over connections that are kept. Throws `mover_unreachable` for a mover that is not
 * there or dies in the middle of an answer, what the mover says (`chunk_missing`, `chunk_bad`, `store_unreachable`,
 * `access_denied`), and the signal's reason.
 */
export class RepositoryMoverClient implements RangeSource {
	readonly #way: MoverConnections;
	readonly #pool: ConnectionPool;

	constructor(way: MoverConnections) {
		this.#way = way;
		this.#pool = new ConnectionPool(way);
	}

	fetch(refs: readonly PlacedRef[], options: Options): AsyncGenerator<StoredChunk, void, undefined> {
		return chunksOf(this.ranges(refs, options));
	}

	async *ranges(refs: readonly PlacedRef[], options: Options): AsyncGenerator<StoredRange, void, undefined> {
		try {
			for (let at = 0; at < refs.length; at += maxReferences)
				yield* this.#request(refs.slice(at, at + maxReferences), options);
		} catch (error) {
			options.signal?.throwIfAborted(); // that broke the connection
			throw error;
		}
	}

	/** Ends what is under way as well. */
	async close(): Promise<void> {
		this.#pool.close();
	}

	async *#request(refs: readonly PlacedRef[], options: Options): AsyncGenerator<StoredRange> {
		const { signal } = options;
		signal?.throwIfAborted();
		const request = encodeRequest(this.#way.hello.naming, refs, options);
		const connection = await this.#pool.take(signal);
		const abort = () => connection.destroy(new Error('it was aborted'));
		signal?.addEventListener('abort', abort, { once: true });
		let done = 0;
		let isOver = false;
		try {
			signal?.throwIfAborted(); // it may be since the connection was there, and tells of that once
			connection.ask(request, refs.length);
			while (done < refs.length) {
				const run = connection.take();
				if (run === undefined) {
					await connection.more();
					continue;
				}
				const from = done;
				done += run.lengths.length;
				isOver = done === refs.length;
				yield { refs: refs.slice(from, done), ...run };
			}
		} catch (error) {
			isOver = connection.isGood && error instanceof RouseError; // the mover's own, which ends its answer
			throw error;
		} finally {
			signal?.removeEventListener('abort', abort);
			// Leaving early ends the connection: the mover sees it and stops reading.
			this.#pool.give(connection, isOver ? undefined : new Error('its answer was left'));
		}
	}
}
