import type { Clock } from '../../system/clock.ts';

/**
 * Time without use that may be made up for, as a busy host leaves this process without a processor: more would be bursts,
 * which a low rate is there to prevent.
 */
const burstMs = 200;

/** Who waits may be late for what came meanwhile and has it all the same; a process that was stopped for a minute has not. */
const lateMs = 400;

/** Longer ones setTimeout takes for 1 ms (https://nodejs.org/api/timers.html); after this one the rest is waited for. */
const longestDelayMs = 2 ** 31 - 1;

/**
 * A rate in bytes a second, changed at will; 0 is unlimited. Takers go one after the other. What is taken may be more
 * than there is: the debt is waited off by the next, so that a piece of any size passes at any rate and the mean holds.
 */
export class TokenBucket {
	readonly #clock: Pick<Clock, 'now' | 'delay'>;
	#ratePerSecond: number;
	#tokens = 0;
	#filledAtMs: number;
	#tail: Promise<void> = Promise.resolve();
	#changed = new AbortController();
	#taken = 0;

	constructor(ratePerSecond: number, clock: Pick<Clock, 'now' | 'delay'>) {
		this.#ratePerSecond = ratePerSecond;
		this.#clock = clock;
		this.#filledAtMs = clock.now();
	}

	get rate(): number {
		return this.#ratePerSecond;
	}

	/** All that was ever taken and not left. */
	get taken(): number {
		return this.#taken;
	}

	/** What was taken and came to nothing is not counted. It stays paid, and may be used by {@link takeLeft}. */
	leave(bytes: number): void {
		this.#taken -= bytes;
	}

	takeLeft(bytes: number): void {
		this.#taken += bytes;
	}

	/** Takes effect at once, also for who waits; a debt made at the old rate is forgotten. */
	setRate(ratePerSecond: number): void {
		if (ratePerSecond === this.#ratePerSecond) return;
		this.#ratePerSecond = ratePerSecond;
		this.#tokens = 0;
		this.#filledAtMs = this.#clock.now();
		this.#changed.abort();
		this.#changed = new AbortController();
	}

	/** Resolves when these bytes may be written. */
	take(bytes: number, signal: AbortSignal): Promise<void> {
		const turn = this.#tail.then(() => this.#wait(bytes, signal));
		this.#tail = turn.catch(() => {});
		return turn;
	}

	/** Takes without waiting: for work that is there already. False, and nothing taken, while there is a debt. */
	tryTake(bytes: number): boolean {
		this.#fill(burstMs);
		if (this.#ratePerSecond !== 0 && this.#tokens < 0) return false;
		this.#spend(bytes);
		return true;
	}

	async #wait(bytes: number, signal: AbortSignal): Promise<void> {
		for (let mostMs = burstMs; ; mostMs = lateMs) {
			signal.throwIfAborted();
			this.#fill(mostMs);
			if (this.#ratePerSecond === 0 || this.#tokens >= 0) return this.#spend(bytes);
			const ms = Math.min(longestDelayMs, Math.ceil((-this.#tokens * 1000) / this.#ratePerSecond));
			const either = AbortSignal.any([signal, this.#changed.signal]);
			await this.#clock.delay(ms, either).catch((error: unknown) => {
				if (!either.aborted) throw error;
			});
		}
	}

	#fill(mostMs: number): void {
		const now = this.#clock.now();
		const earned = (this.#ratePerSecond * (now - this.#filledAtMs)) / 1000;
		this.#tokens = Math.min((this.#ratePerSecond * mostMs) / 1000, this.#tokens + earned);
		this.#filledAtMs = now;
	}

	#spend(bytes: number): void {
		this.#taken += bytes;
		if (this.#ratePerSecond !== 0) this.#tokens -= bytes;
	}
}
