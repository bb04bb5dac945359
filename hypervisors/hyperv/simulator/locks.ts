import { DriverRefusal } from './operations/failure.ts';

/** What one session at a time works on: a mutex of the driver's for each name. */
export class NamedLocks {
	readonly #patienceMs: number;
	readonly #held = new Map<string, Promise<void>>();

	constructor(patienceMs: number) {
		this.#patienceMs = patienceMs;
	}

	/** Throws `busy` when another has it for longer than the driver waits. */
	async hold<T>(name: string, work: () => Promise<T>): Promise<T> {
		const deadline = performance.now() + this.#patienceMs;
		for (;;) {
			const held = this.#held.get(name);
			if (held === undefined) break;
			await Promise.race([held, late(deadline - performance.now())]);
			if (performance.now() >= deadline && this.#held.has(name))
				throw new DriverRefusal('busy', `another session has been working on ${name} for ${this.#patienceMs} ms`);
		}
		const { promise, resolve } = Promise.withResolvers<void>();
		this.#held.set(name, promise);
		try {
			return await work();
		} finally {
			this.#held.delete(name);
			resolve();
		}
	}
}

async function late(ms: number): Promise<void> {
	await new Promise<void>(resolve => {
		setTimeout(resolve, Math.max(0, ms)).unref();
	});
}
