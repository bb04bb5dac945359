import { asRouseError } from '../../model/errors.ts';
import { type Config, loadConfig } from '../../system/installation.ts';
import type { HostParts } from '../recovery/host-parts.ts';

const lookEveryMs = 2_000;

/** config.yaml as it is now, for who looks all the time; while it cannot be read, as it was when it could. */
export class FollowedConfig {
	readonly #host: Pick<HostParts, 'installation' | 'clock' | 'log'>;
	#known: Config | undefined;
	#lookedAtMs = Number.NEGATIVE_INFINITY;
	#failure: string | undefined;

	constructor(host: Pick<HostParts, 'installation' | 'clock' | 'log'>) {
		this.#host = host;
	}

	/** At most two seconds old; undefined when it could never be read. */
	async now(): Promise<Config | undefined> {
		const now = this.#host.clock.now();
		if (now - this.#lookedAtMs < lookEveryMs) return this.#known;
		this.#lookedAtMs = now;
		try {
			this.#known = await loadConfig(this.#host.installation);
			this.#failure = undefined;
		} catch (error) {
			const { message } = asRouseError(error);
			if (message !== this.#failure) this.#host.log.error({ err: error }, 'limits stay as they are');
			this.#failure = message;
		}
		return this.#known;
	}
}
