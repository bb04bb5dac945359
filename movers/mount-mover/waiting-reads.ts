/** Somebody who waits for the repository. */
export interface Waiter {
	sinceMs: number;
	/** Answers with an error now. */
	fail(): void;
	/** Looks whether what it waits for has become local. */
	lookAgain(): void;
}

/**
 * Who waits for the repository, and the order to let nobody wait: while an NBD client of QEMU's has an unanswered read,
 * `stop`, `system_reset`, `quit` and `blockdev-reopen` hang QEMU with all its monitors (QEMU 7.2). With
 * `rerror=stop` a read that fails is kept by QEMU and tried again on `cont`.
 */
export class WaitingReads {
	/** In the order of arrival. */
	readonly #waiters = new Set<Waiter>();
	#failUntilMs = 0;

	get count(): number {
		return this.#waiters.size;
	}

	get oldestWaitMs(): number {
		for (const { sinceMs } of this.#waiters) return Math.max(0, performance.now() - sinceMs);
		return 0;
	}

	/** Nobody may begin to wait. */
	get failing(): boolean {
		return performance.now() < this.#failUntilMs;
	}

	add(waiter: Waiter): void {
		this.#waiters.add(waiter);
	}

	delete(waiter: Waiter): void {
		this.#waiters.delete(waiter);
	}

	/** Fails all that waits, and for `forMs` whatever would. Returns how many waited. */
	failPending(forMs: number): number {
		this.#failUntilMs = performance.now() + forMs;
		const waiters = [...this.#waiters];
		this.#waiters.clear();
		for (const waiter of waiters) waiter.fail();
		return waiters.length;
	}

	serve(): void {
		this.#failUntilMs = 0;
	}

	/** More has become local. */
	lookAgain(): void {
		for (const waiter of this.#waiters) waiter.lookAgain();
	}
}
