/** So many of something at once, those that wait in their order. */
export class Slots {
	#free: number;
	readonly #waiting: (() => void)[] = [];

	constructor(most: number) {
		this.#free = most;
	}

	/** With a signal, its reason is thrown while it waits. */
	async use<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
		await this.#take(signal);
		try {
			return await work();
		} finally {
			this.#giveBack();
		}
	}

	async #take(signal: AbortSignal | undefined): Promise<void> {
		signal?.throwIfAborted();
		if (this.#free > 0) {
			this.#free -= 1;
			return;
		}
		const { promise, resolve, reject } = Promise.withResolvers<void>();
		const begin = () => resolve();
		const giveUp = () => {
			const at = this.#waiting.indexOf(begin);
			// Else the slot was given to it a moment ago: whoever waited sees the abort by itself.
			if (at >= 0) this.#waiting.splice(at, 1);
			if (at >= 0) reject(signal?.reason);
		};
		this.#waiting.push(begin);
		signal?.addEventListener('abort', giveUp, { once: true });
		try {
			await promise;
		} finally {
			signal?.removeEventListener('abort', giveUp);
		}
	}

	#giveBack(): void {
		const next = this.#waiting.shift();
		if (next === undefined) this.#free += 1;
		else next();
	}
}
