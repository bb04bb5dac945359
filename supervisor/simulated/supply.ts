import type { ChunkRef } from '../../model/chunk.ts';
import type { ChunkSource, StoredChunk } from '../../repository/chunk-source.ts';
import { untilAborted } from '../../repository/until-aborted.ts';
import type { Life } from './life.ts';
import type { RepositoryProgram } from './repository-program.ts';

type FetchOptions = Parameters<ChunkSource['fetch']>[1];

const never = new AbortController().signal;

/** Chunks of one mover, from the repository's mover as long as that lives. */
export class Supply implements ChunkSource {
	readonly #repository: Life<RepositoryProgram>;
	/** Resolves when the mover that asks does not hang, and nobody holds its chunks back. */
	readonly #mayGoOn: (signal: AbortSignal) => Promise<void>;

	constructor(repository: Life<RepositoryProgram>, mayGoOn: (signal: AbortSignal) => Promise<void>) {
		this.#repository = repository;
		this.#mayGoOn = mayGoOn;
	}

	async *fetch(refs: readonly ChunkRef[], options: FetchOptions): AsyncGenerator<StoredChunk> {
		const { signal = never } = options;
		await this.#mayGoOn(signal);
		const program = await this.#answering(signal);
		program.served.requests += 1;
		const source = await untilAborted(program.source(), signal);
		for await (const chunk of source.fetch(refs, options)) {
			await this.#mayGoOn(signal);
			if ((await this.#answering(signal)) !== program) throw this.#repository.unreachable();
			program.served.chunks += 1;
			program.served.storedBytes += chunk.stored.length;
			yield chunk;
		}
	}

	async close(): Promise<void> {}

	/** A dead one is not there; one that hangs is waited for. */
	async #answering(signal: AbortSignal): Promise<RepositoryProgram> {
		if (this.#repository.program === undefined) throw this.#repository.unreachable();
		return this.#repository.serving(signal);
	}
}
