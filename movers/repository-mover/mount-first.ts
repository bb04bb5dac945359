import type { Clock } from '../../system/clock.ts';

/**
 * Lets requests that a guest waits for go before those that can wait: migration asks for a turn before each piece it
 * reads. It gets one after `longestYieldMs` at the latest, so that a guest that reads without end (or a mount mover that
 * was stopped in the middle of an answer) slows a migration down and does not stop it.
 */
export class MountFirst {
	readonly #clock: Pick<Clock, 'now' | 'delay'>;
	readonly #longestYieldMs: number;
	#mounts = 0;
	#idle: PromiseWithResolvers<void> | undefined;

	constructor(clock: Pick<Clock, 'now' | 'delay'>, { longestYieldMs = 200 }: { longestYieldMs?: number } = {}) {
		this.#clock = clock;
		this.#longestYieldMs = longestYieldMs;
	}

	get activeMounts(): number {
		return this.#mounts;
	}

	enterMount(): void {
		this.#mounts += 1;
		this.#idle ??= Promise.withResolvers();
	}

	leaveMount(): void {
		this.#mounts -= 1;
		if (this.#mounts > 0) return;
		this.#idle?.resolve();
		this.#idle = undefined;
	}

	/** Resolves when no mount request is being answered, or after `longestYieldMs`; rejects when the signal aborts. */
	async migrationTurn(signal: AbortSignal): Promise<void> {
		await this.#yield(this.#longestYieldMs, signal);
	}

	/**
	 * For between the chunks of a piece, since on a thin line a piece takes long: yields as above, but in all no longer than the
	 * piece has worked, so that a migration takes twice its time at the worst.
	 */
	turnsWithin(signal: AbortSignal): () => Promise<void> {
		const began = this.#clock.now();
		let yieldedMs = 0;
		return async () => {
			const now = this.#clock.now();
			const workedMs = now - began - yieldedMs;
			if (workedMs > yieldedMs) await this.#yield(workedMs - yieldedMs, signal);
			yieldedMs += this.#clock.now() - now;
		};
	}

	async #yield(atMostMs: number, signal: AbortSignal): Promise<void> {
		if (this.#idle === undefined) return;
		const timer = new AbortController();
		const either = AbortSignal.any([signal, timer.signal]);
		try {
			await Promise.race([this.#idle.promise, this.#clock.delay(atMostMs, either)]);
		} finally {
			timer.abort();
		}
		signal.throwIfAborted();
	}
}
