import { asRouseError, type RouseError } from '../model/errors.ts';
import type { ChunkRef } from '../model/chunk.ts';
import type { ChunkClass, ChunkSource, StoredChunk } from '../repository/chunk-source.ts';

/** A source that remembers why it failed first: whoever reads through a server learns only that it did. */
export class WatchedSource implements ChunkSource {
	readonly #source: ChunkSource;
	#failure: RouseError | undefined;

	constructor(source: ChunkSource) {
		this.#source = source;
	}

	get failure(): RouseError | undefined {
		return this.#failure;
	}

	async *fetch(
		refs: readonly ChunkRef[],
		options: { class: ChunkClass; locate?: boolean; signal?: AbortSignal | undefined },
	): AsyncGenerator<StoredChunk, void, undefined> {
		try {
			yield* this.#source.fetch(refs, options);
		} catch (thrown) {
			this.#failure ??= asRouseError(thrown);
			throw thrown;
		}
	}

	async close(): Promise<void> {
		await this.#source.close();
	}
}
