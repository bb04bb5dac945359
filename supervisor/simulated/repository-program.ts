import { asRouseError, type ErrorDocument, RouseError } from '../../model/errors.ts';
import type { RepositoryMoverState } from '../../movers/config.ts';
import { SharedRate } from '../../movers/repository-mover/shared-rate.ts';
import type { ChunkSource } from '../../repository/chunk-source.ts';
import { DirectChunkSource } from '../../repository/direct-chunk-source.ts';
import { openRepository, type Repository } from '../../repository/repository.ts';
import type { Clock } from '../../system/clock.ts';
import type { Program } from './life.ts';

/** A repository mover: one repository, opened when somebody asks for it. */
export class RepositoryProgram implements Program {
	readonly served = { requests: 0, chunks: 0, storedBytes: 0 };
	readonly rate: SharedRate;
	readonly #directory: string;
	#opened: Promise<{ repository: Repository; source: ChunkSource }> | undefined;
	#failure: ErrorDocument | null = null;

	constructor(directory: string, clock: Pick<Clock, 'now' | 'delay'>) {
		this.rate = new SharedRate(clock);
		this.#directory = directory;
	}

	/** Every failure is `store_unreachable`, since only waiting is right for a guest. */
	async source(): Promise<ChunkSource> {
		this.#opened ??= openRepository(this.#directory).then(repository => ({
			repository,
			source: new DirectChunkSource(repository.store),
		}));
		try {
			const { source } = await this.#opened;
			this.#failure = null;
			return source;
		} catch (cause) {
			this.#opened = undefined;
			const error = asRouseError(cause);
			this.#failure = error.toDocument();
			throw new RouseError('store_unreachable', error.message, { cause, hint: error.hint });
		}
	}

	state(): RepositoryMoverState {
		return {
			repository: this.#directory,
			active: { mount: 0, ahead: 0, migration: 0 },
			served: { ...this.served },
			maxRateBytes: this.rate.rate,
			failure: this.#failure,
		};
	}

	async close(): Promise<void> {
		const opened = await this.#opened?.catch(() => undefined); // there is nothing to close then
		await opened?.repository.store.close();
	}
}
