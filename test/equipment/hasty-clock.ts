import type { Clock } from '../../system/clock.ts';

/** So much passes at a turn of the event loop's timers: a millisecond, or longer while the process is held up. */
const stepMs = 25;

/**
 * A time that passes faster than that of day while somebody waits, and leaps when a test says so. It does not go on
 * while the process is held up, so that a busy computer does not make a deadline of seconds pass.
 */
export class HastyClock implements Clock {
	#nowMs = 1_000;
	#ticking = false;
	readonly #sleepers = new Set<{ untilMs: number; wake: () => void }>();

	now(): number {
		return this.#nowMs;
	}

	date(): Date {
		return new Date(this.#nowMs);
	}

	/** A leap. */
	pass(ms: number): void {
		this.#nowMs += ms;
		for (const { untilMs, wake } of this.#sleepers) if (untilMs <= this.#nowMs) wake();
	}

	async delay(ms: number, signal?: AbortSignal): Promise<void> {
		signal?.throwIfAborted();
		const { promise, resolve, reject } = Promise.withResolvers<void>();
		const abort = () => reject(signal?.reason);
		const sleeper = { untilMs: this.#nowMs + ms, wake: resolve };
		this.#sleepers.add(sleeper);
		signal?.addEventListener('abort', abort);
		this.#tick();
		try {
			await promise;
		} finally {
			signal?.removeEventListener('abort', abort);
			this.#sleepers.delete(sleeper);
		}
	}

	#tick(): void {
		if (this.#ticking || this.#sleepers.size === 0) return;
		this.#ticking = true;
		setTimeout(() => {
			this.#ticking = false;
			this.pass(stepMs);
			this.#tick();
		}, 1);
	}
}
