import type { Clock } from '../../system/clock.ts';

/** Somebody who waits for the repository. */
export interface Waiter {
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
	readonly #clock: Pick<Clock, 'now'>;
	/** Since when each waits, in the order of arrival. */
	readonly #waiters = new Map<Waiter, number>();
	#failUntilMs = -Infinity;

	constructor(clock: Pick<Clock, 'now'>) {
		this.#clock = clock;
	}

	get count(): number {
		return this.#waiters.size;
	}

	get oldestWaitMs(): number {
		for (const sinceMs of this.#waiters.values()) return this.#clock.now() - sinceMs;
		return 0;
	}

	/** Nobody may begin to wait. */
	get failing(): boolean {
		return this.#clock.now() < this.#failUntilMs;
	}

	/** One that waits already waits on. */
	add(waiter: Waiter): void {
		if (!this.#waiters.has(waiter)) this.#waiters.set(waiter, this.#clock.now());
	}

	delete(waiter: Waiter): void {
		this.#waiters.delete(waiter);
	}

	/** Fails all that waits, and for `forMs` whatever would. Returns how many waited. */
	failPending(forMs: number): number {
		this.#failUntilMs = this.#clock.now() + forMs;
		const waiters = [...this.#waiters.keys()];
		this.#waiters.clear();
		for (const waiter of waiters) waiter.fail();
		return waiters.length;
	}

	serve(): void {
		this.#failUntilMs = -Infinity;
	}

	/** More has become local. */
	lookAgain(): void {
		for (const waiter of this.#waiters.keys()) waiter.lookAgain();
	}
}
