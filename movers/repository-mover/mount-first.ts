import type { Clock } from '../../system/clock.ts';

/** How many requests of a kind are being answered. */
class Underway {
	#count = 0;
	#idle: PromiseWithResolvers<void> | undefined;

	get count(): number {
		return this.#count;
	}

	enter(): void {
		this.#count += 1;
		this.#idle ??= Promise.withResolvers();
	}

	leave(): void {
		this.#count -= 1;
		if (this.#count > 0) return;
		this.#idle?.resolve();
		this.#idle = undefined;
	}

	/** Undefined when there is none. */
	get over(): Promise<void> | undefined {
		return this.#idle?.promise;
	}
}

/**
 * Lets requests that a guest waits for go before those for what it will read soon, and both before those that can wait:
 * each of the others asks for a turn before each piece it reads. It gets one after `longestYieldMs` at the latest, so that a
 * guest that reads without end (or a mount mover that was stopped in the middle of an answer) slows a migration down and
 * does not stop it.
 */
export class MountFirst {
	readonly mounts = new Underway();
	readonly aheads = new Underway();
	readonly #clock: Pick<Clock, 'now' | 'delay'>;
	readonly #longestYieldMs: number;

	constructor(clock: Pick<Clock, 'now' | 'delay'>, { longestYieldMs = 200 }: { longestYieldMs?: number } = {}) {
		this.#clock = clock;
		this.#longestYieldMs = longestYieldMs;
	}

	/** Resolves when nothing that goes before this class is being answered, or after `longestYieldMs`; rejects when the signal aborts. */
	async turn(of: 'ahead' | 'migration', signal: AbortSignal): Promise<void> {
		await this.#yield(of, this.#longestYieldMs, signal);
	}

	/**
	 * For between the chunks of a piece, since on a thin line a piece takes long: yields as above, but in all no longer than the
	 * piece has worked, so that a migration takes twice its time at the worst.
	 */
	turnsWithin(of: 'ahead' | 'migration', signal: AbortSignal): () => Promise<void> {
		const began = this.#clock.now();
		let yieldedMs = 0;
		return async () => {
			const now = this.#clock.now();
			const workedMs = now - began - yieldedMs;
			if (workedMs > yieldedMs) await this.#yield(of, workedMs - yieldedMs, signal);
			yieldedMs += this.#clock.now() - now;
		};
	}

	async #yield(of: 'ahead' | 'migration', atMostMs: number, signal: AbortSignal): Promise<void> {
		const before = of === 'ahead' ? [this.mounts] : [this.mounts, this.aheads];
		const others = before.flatMap(({ over }) => over ?? []);
		if (others.length === 0) return;
		const timer = new AbortController();
		const either = AbortSignal.any([signal, timer.signal]);
		try {
			await Promise.race([Promise.all(others), this.#clock.delay(atMostMs, either)]);
		} finally {
			timer.abort();
		}
		signal.throwIfAborted();
	}
}
