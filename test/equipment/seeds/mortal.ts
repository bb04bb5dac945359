import type { FileHandle } from 'node:fs/promises';

/** The file system on which it writes. */
export interface Disk {
	freeBytes: number;
}

type By = <R>(work: () => R) => R;

/** One life of a process that is an object here: when it is over, nothing that it calls ever answers it. */
export class Lifetime {
	readonly disk: Disk;
	#over = false;
	readonly #ended = Promise.withResolvers<void>();
	readonly #operations = new Set<Promise<unknown>>();
	readonly #handles = new Set<FileHandle>();

	constructor(disk: Disk = { freeBytes: Number.POSITIVE_INFINITY }) {
		this.disk = disk;
	}

	get over(): boolean {
		return this.#over;
	}

	/** Resolves with its end. */
	get ended(): Promise<void> {
		return this.#ended.promise;
	}

	end(): void {
		this.#over = true;
		this.#ended.resolve();
	}

	/** Resolves when it is over and the last operation that it had begun is done; its descriptors are closed then. */
	async settled(): Promise<void> {
		await this.ended;
		while (this.#operations.size > 0) await Promise.allSettled(this.#operations);
		for (const handle of this.#handles) await handle.close(); // does nothing when it is closed already
		this.#handles.clear();
	}

	/** Does one thing that goes to its end once it has begun, as a system call does. */
	operation<T>(work: () => Promise<T>): Promise<T> {
		if (this.#over) return never();
		const done = work();
		this.#operations.add(done);
		const forget = () => void this.#operations.delete(done);
		done.then(forget, forget);
		return this.pass(done);
	}

	/** A descriptor that ends with it. */
	hold(handle: FileHandle): void {
		this.#handles.add(handle);
	}

	/** Passes through while it lasts, and never returns afterwards: whoever waits for it is dead. */
	async pass<T>(value: Promise<T>): Promise<T> {
		try {
			const result = await value;
			if (this.#over) return await never();
			return result;
		} catch (error) {
			if (this.#over) return never();
			throw error;
		}
	}

	/**
	 * The same object as the living see it: every call of it, and of the objects that it gives, goes through {@link pass},
	 * and is done `by` whoever does it.
	 */
	guard<T extends object>(target: T, by: By = work => work()): T {
		return new Proxy(target, {
			get: (_target, key) => this.#value(Reflect.get(target, key, target), target, by),
		});
	}

	#value(value: unknown, of: object, by: By): unknown {
		if (typeof value === 'function')
			return (...args: unknown[]) =>
				this.#over
					? never()
					: this.#result(
							by(() => Reflect.apply(value, of, args)),
							by,
						);
		// What holds calls of its own: a mover's control.
		return typeof value === 'object' && value !== null && hasCalls(value) ? this.guard(value, by) : value;
	}

	#result(result: unknown, by: By): unknown {
		if (result instanceof Promise) return this.pass(result);
		return typeof result === 'object' && result !== null && hasCalls(result) ? this.guard(result, by) : result;
	}
}

function hasCalls(value: object): boolean {
	if (Array.isArray(value)) return false;
	const prototype: unknown = Object.getPrototypeOf(value);
	if (prototype !== Object.prototype) return !(value instanceof Date || value instanceof Error);
	return Object.values(value).some(member => typeof member === 'function');
}

function never<T>(): Promise<T> {
	return new Promise(() => undefined);
}
