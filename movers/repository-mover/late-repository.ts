import { asRouseError, type ErrorDocument, RouseError } from '../../model/errors.ts';
import { DirectChunkSource } from '../../repository/direct-chunk-source.ts';
import { openRepository, type Repository } from '../../repository/repository.ts';

export interface OpenedRepository {
	repository: Repository;
	source: DirectChunkSource;
}

/**
 * A repository that is opened at the first request and again after a failure: its file system may be mounted later than
 * this process starts. Every failure is `store_unreachable` to those who ask, since only waiting is right for a guest;
 * the reason is in the message and in `failure`.
 */
export class LateRepository {
	readonly #directory: string;
	readonly #onFailure: (error: RouseError) => void;
	#opened: Promise<OpenedRepository> | undefined;
	#source: DirectChunkSource | undefined;
	#failure: ErrorDocument | null = null;

	/** `onFailure` is told once a reason: whoever waits for it asks again and again. */
	constructor(directory: string, onFailure: (error: RouseError) => void) {
		this.#directory = directory;
		this.#onFailure = onFailure;
	}

	/** Why it could not be opened when that was tried last. */
	get failure(): ErrorDocument | null {
		return this.#failure;
	}

	/** What is kept to be used again. */
	letGo(): void {
		this.#source?.letGo();
	}

	open(): Promise<OpenedRepository> {
		this.#opened ??= openRepository(this.#directory).then(
			repository => {
				this.#failure = null;
				this.#source = new DirectChunkSource(repository.store);
				return { repository, source: this.#source };
			},
			(cause: unknown) => {
				this.#opened = undefined;
				const error = asRouseError(cause);
				if (this.#failure?.message !== error.message) this.#onFailure(error);
				this.#failure = error.toDocument();
				throw new RouseError('store_unreachable', error.message, { cause, hint: error.hint });
			},
		);
		return this.#opened;
	}
}
