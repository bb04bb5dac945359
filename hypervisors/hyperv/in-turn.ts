/** One after the other, in the order of their calls; one that throws holds up nobody. */
export class InTurn {
	#last: Promise<unknown> = Promise.resolve();

	run<T>(work: () => Promise<T>): Promise<T> {
		const mine = this.#last.then(work, work);
		this.#last = mine.catch(() => undefined);
		return mine;
	}
}
