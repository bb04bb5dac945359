import type { ChunkRef } from '../../model/chunk.ts';
import { RouseError } from '../../model/errors.ts';
import type { ChunkSource, PlacedRef, StoredChunk } from '../../repository/chunk-source.ts';
import { untilAborted } from '../../repository/until-aborted.ts';
import type { Life } from './life.ts';
import type { RepositoryProgram } from './repository-program.ts';

type FetchOptions = Parameters<ChunkSource['fetch']>[1];

/** Resolves when the mover that asks does not hang, and nobody holds its chunks back. */
export type MayGoOn = (signal: AbortSignal) => Promise<unknown>;

/** Chunks of one mover as the repository's mover gives them: a connection to it, that breaks when that one dies. */
export class Supply implements ChunkSource {
	readonly #repository: Life<RepositoryProgram>;
	readonly #mayGoOn: MayGoOn;
	readonly #stream: string;
	readonly #closed = new AbortController();

	constructor(repository: Life<RepositoryProgram>, mayGoOn: MayGoOn, stream: string) {
		this.#stream = stream;
		this.#repository = repository;
		this.#mayGoOn = mayGoOn;
	}

	async *fetch(refs: readonly ChunkRef[], options: FetchOptions): AsyncGenerator<StoredChunk> {
		const signal = options.signal ? AbortSignal.any([options.signal, this.#closed.signal]) : this.#closed.signal;
		await this.#mayGoOn(signal);
		const program = await this.#repository.answering(signal);
		program.served.requests += 1;
		const source = await untilAborted(program.source(), signal);
		for await (const chunk of source.fetch(refs, { ...options, signal })) {
			await this.#mayGoOn(signal);
			if ((await this.#repository.answering(signal)) !== program) throw this.#repository.unreachable();
			if (options.class === 'mount') program.rate.spend(chunk.stored.length);
			else await program.rate.take(this.#stream, chunk.stored.length, signal);
			program.served.chunks += 1;
			program.served.storedBytes += chunk.stored.length;
			yield chunk;
		}
	}

	async close(): Promise<void> {
		this.#closed.abort(this.#repository.unreachable());
	}
}

/** The same from the service of another machine, which is a process of its own. */
export class ServiceSupply implements ChunkSource {
	readonly #service: ChunkSource;
	readonly #mayGoOn: MayGoOn;
	readonly #closed = new AbortController();

	constructor(service: ChunkSource, mayGoOn: MayGoOn) {
		this.#service = service;
		this.#mayGoOn = mayGoOn;
	}

	async *fetch(refs: readonly PlacedRef[], options: FetchOptions): AsyncGenerator<StoredChunk> {
		const signal = options.signal ? AbortSignal.any([options.signal, this.#closed.signal]) : this.#closed.signal;
		await this.#mayGoOn(signal);
		for await (const chunk of this.#service.fetch(refs, { ...options, signal })) {
			await this.#mayGoOn(signal);
			yield chunk;
		}
	}

	async close(): Promise<void> {
		this.#closed.abort(new RouseError('mover_unreachable', 'the mover has ended'));
		await this.#service.close();
	}
}
