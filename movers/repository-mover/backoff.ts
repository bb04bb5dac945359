import { setTimeout as delay } from 'node:timers/promises';

/** Waits between attempts: 50 ms, doubling up to 2 s; short enough that a mover started again is found at once. */
export class Backoff {
	readonly #firstMs: number;
	readonly #longestMs: number;
	#waits = 0;

	constructor({ firstMs = 50, longestMs = 2_000 }: { firstMs?: number; longestMs?: number } = {}) {
		this.#firstMs = firstMs;
		this.#longestMs = longestMs;
	}

	/** Since the last reset. */
	get waits(): number {
		return this.#waits;
	}

	reset(): void {
		this.#waits = 0;
	}

	/** Rejects with the signal's reason when it aborts. */
	async wait(signal: AbortSignal): Promise<void> {
		const ms = Math.min(this.#longestMs, this.#firstMs * 2 ** this.#waits);
		this.#waits += 1;
		await delay(ms, undefined, { signal }).catch((error: unknown) => {
			signal.throwIfAborted();
			throw error;
		});
	}
}
