import type { ChunkRef } from '../../model/chunk.ts';
import { asRouseError, type ErrorDocument } from '../../model/errors.ts';
import { Backoff } from '../../movers/repository-mover/backoff.ts';
import type { PatientSource } from '../../movers/repository-mover/client.ts';
import type { ChunkSource, StoredChunk } from '../../repository/chunk-source.ts';
import { isDamage } from '../../repository/fetch-chunk.ts';
import { untilAborted } from '../../repository/until-aborted.ts';
import type { Life } from './life.ts';
import type { RepositoryProgram } from './repository-program.ts';

type FetchOptions = Parameters<ChunkSource['fetch']>[1];

/** Chunks of one mover: from the repository's mover as long as that lives, and for ever, as the real ones ask. */
export class Supply implements PatientSource {
	readonly #repository: Life<RepositoryProgram>;
	/** Resolves when the mover that asks does not hang, and nobody holds its chunks back. */
	readonly #mayGoOn: (signal: AbortSignal) => Promise<void>;
	readonly #closed = new AbortController();
	#trouble: ErrorDocument | undefined;

	constructor(repository: Life<RepositoryProgram>, mayGoOn: (signal: AbortSignal) => Promise<void>) {
		this.#repository = repository;
		this.#mayGoOn = mayGoOn;
	}

	get trouble(): ErrorDocument | undefined {
		return this.#trouble;
	}

	async *fetch(refs: readonly ChunkRef[], options: FetchOptions): AsyncGenerator<StoredChunk> {
		const signal = options.signal ? AbortSignal.any([options.signal, this.#closed.signal]) : this.#closed.signal;
		const backoff = new Backoff();
		for (let done = 0; done < refs.length; )
			try {
				for await (const chunk of this.#attempt(refs.slice(done), { ...options, signal })) {
					done += 1;
					this.#trouble = undefined;
					backoff.reset();
					yield chunk;
				}
			} catch (thrown) {
				signal.throwIfAborted();
				if (isDamage(thrown)) throw thrown;
				this.#trouble = asRouseError(thrown).toDocument();
				await backoff.wait(signal);
			}
	}

	async close(): Promise<void> {
		this.#closed.abort(this.#repository.unreachable());
	}

	async *#attempt(
		refs: readonly ChunkRef[],
		options: FetchOptions & { signal: AbortSignal },
	): AsyncGenerator<StoredChunk> {
		await this.#mayGoOn(options.signal);
		const program = await this.#answering(options.signal);
		program.served.requests += 1;
		const source = await untilAborted(program.source(), options.signal);
		for await (const chunk of source.fetch(refs, options)) {
			await this.#mayGoOn(options.signal);
			if ((await this.#answering(options.signal)) !== program) throw this.#repository.unreachable();
			program.served.chunks += 1;
			program.served.storedBytes += chunk.stored.length;
			yield chunk;
		}
	}

	async #answering(signal: AbortSignal): Promise<RepositoryProgram> {
		const serving = this.#repository.serving(signal);
		const { program } = this.#repository;
		if (program === undefined) this.#trouble = this.#repository.unreachable().toDocument();
		return serving;
	}
}
