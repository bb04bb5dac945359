import { asRouseError, type ErrorDocument } from '../../model/errors.ts';
import type { Clock } from '../../system/clock.ts';
import type { RestoredMapReader } from '../restored-map/reader.ts';

/** How late a restored chunk is read from the target at most; until then it is fetched, which is right as well. */
const everyMs = 100;

/** Follows the restored maps of a recovery until the signal. */
export class RestoredPoll {
	readonly #maps: readonly RestoredMapReader[];
	readonly #onMore: () => void;
	readonly #clock: Pick<Clock, 'delay'>;
	#trouble: ErrorDocument | undefined;

	/** `onMore`: chunks have become local. */
	constructor(maps: readonly RestoredMapReader[], onMore: () => void, clock: Pick<Clock, 'delay'>) {
		this.#maps = maps;
		this.#onMore = onMore;
		this.#clock = clock;
	}

	/** Why a map could not be read the last time. What was read before stays true. */
	get trouble(): ErrorDocument | undefined {
		return this.#trouble;
	}

	async run(signal: AbortSignal): Promise<void> {
		while (!signal.aborted) {
			await this.#look();
			await this.#clock.delay(everyMs, signal).catch(() => {}); // only ever aborted
		}
	}

	async #look(): Promise<void> {
		let more = false;
		let trouble: ErrorDocument | undefined;
		for (const map of this.#maps) {
			try {
				if (!map.bitmap.complete && (await map.refresh())) more = true;
			} catch (thrown) {
				trouble ??= asRouseError(thrown).toDocument(); // the other disks' maps are worth no less for it
			}
		}
		this.#trouble = trouble;
		if (more) this.#onMore();
	}
}
