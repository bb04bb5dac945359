import { setTimeout as delay } from 'node:timers/promises';
import { GoogleFault, type GoogleFaultKind } from './fault.ts';

export interface Patience {
	/** In a row, without anything gained between them; twice as many where something was gained before, which would be lost. */
	tries: number;
	firstWaitMs: number;
	mostWaitMs: number;
	/** How long nothing may come of an answer. */
	stallMs: number;
}

/** "Retry strategy" of the Cloud Storage documentation: twice as long each time, up to 32 s, and not all clients at once. */
export const usualPatience: Patience = { tries: 8, firstWaitMs: 1_000, mostWaitMs: 32_000, stallMs: 60_000 };

const passing: readonly GoogleFaultKind[] = ['throttled', 'unreachable', 'cut'];

/** Counts what went wrong of one piece of work. */
export class Tries {
	readonly #patience: Patience;
	readonly #onNewToken: () => void;
	#mayFail: number;
	#failed = 0;
	#tokensRefused = 0;

	/** `onNewToken`: the token that was used is not taken. */
	constructor(patience: Patience, onNewToken: () => void) {
		this.#patience = patience;
		this.#mayFail = patience.tries;
		this.#onNewToken = onNewToken;
	}

	/** Something was gained: what goes wrong from now on is another matter. */
	gained(): void {
		this.#mayFail = 2 * this.#patience.tries;
		this.#failed = 0;
		this.#tokensRefused = 0;
	}

	/** Returns when it is time to try again; throws what went wrong when that is no use. */
	async again(error: unknown, signal: AbortSignal): Promise<void> {
		signal.throwIfAborted();
		if (!(error instanceof GoogleFault)) throw error;
		if (error.fault === 'unknown-caller') {
			// A token may end, or be taken back, before its time; a second one that is new may not.
			if (this.#tokensRefused > 0) throw error;
			this.#tokensRefused += 1;
			return this.#onNewToken();
		}
		const { firstWaitMs, mostWaitMs } = this.#patience;
		this.#failed += 1;
		if (!passing.includes(error.fault) || this.#failed >= this.#mayFail) throw error;
		const longest = Math.min(mostWaitMs, firstWaitMs * 2 ** (this.#failed - 1));
		const waitMs = error.waitMs ?? longest * (0.5 + Math.random() / 2);
		try {
			await delay(Math.min(waitMs, mostWaitMs), undefined, { signal });
		} catch (thrown) {
			signal.throwIfAborted();
			throw thrown;
		}
	}
}
