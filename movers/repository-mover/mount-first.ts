import type { Clock } from '../../system/clock.ts';

/**
 * Lets requests that a guest waits for go before those that can wait: migration asks for a turn before each piece it
 * reads. It gets one after `longestYieldMs` at the latest, so that a guest that reads without end (or a mount mover that
 * was stopped in the middle of an answer) slows a migration down and does not stop it.
 */
export class MountFirst {
	readonly #clock: Pick<Clock, 'delay'>;
	readonly #longestYieldMs: number;
	#mounts = 0;
	#idle: PromiseWithResolvers<void> | undefined;

	constructor(clock: Pick<Clock, 'delay'>, { longestYieldMs = 200 }: { longestYieldMs?: number } = {}) {
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
		if (this.#idle === undefined) return;
		const timer = new AbortController();
		const either = AbortSignal.any([signal, timer.signal]);
		try {
			await Promise.race([this.#idle.promise, this.#clock.delay(this.#longestYieldMs, either)]);
		} finally {
			timer.abort();
		}
		signal.throwIfAborted();
	}
}
