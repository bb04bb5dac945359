import { asRouseError } from '../../model/errors.ts';
import { type Config, loadConfig } from '../../system/installation.ts';
import type { PaceParts } from './parts.ts';

const lookEveryMs = 2_000;

/** config.yaml as it is now, for who looks all the time; while it cannot be read, as it was when it could. */
export class FollowedConfig {
	readonly #host: Pick<PaceParts, 'installation' | 'clock' | 'log'>;
	#known: Config | undefined;
	#lookedAtMs = Number.NEGATIVE_INFINITY;
	#failure: string | undefined;
	#reading: Promise<void> | undefined;

	constructor(host: Pick<PaceParts, 'installation' | 'clock' | 'log'>) {
		this.#host = host;
	}

	/** Some seconds old at most; undefined when it could never be read. Waits for the first time alone. */
	async now(): Promise<Config | undefined> {
		const now = this.#host.clock.now();
		if (now - this.#lookedAtMs >= lookEveryMs) {
			this.#lookedAtMs = now;
			this.#reading ??= this.#read();
		}
		if (this.#known === undefined) await this.#reading;
		return this.#known;
	}

	async #read(): Promise<void> {
		try {
			this.#known = await loadConfig(this.#host.installation);
			this.#failure = undefined;
		} catch (error) {
			const { message } = asRouseError(error);
			if (message !== this.#failure) this.#host.log.error({ err: error }, 'limits stay as they are');
			this.#failure = message;
		} finally {
			this.#reading = undefined;
		}
	}
}
