/** One life of a process that is an object here: when it is over, nothing that it calls ever answers it. */
export class Lifetime {
	#over = false;

	get over(): boolean {
		return this.#over;
	}

	end(): void {
		this.#over = true;
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
	 * The same object as the living see it: every call of it, and of the objects that it gives, goes through {@link pass}.
	 */
	guard<T extends object>(target: T): T {
		return new Proxy(target, {
			get: (_target, key) => this.#value(Reflect.get(target, key, target), target),
		});
	}

	#value(value: unknown, of: object): unknown {
		if (typeof value === 'function')
			return (...args: unknown[]) => (this.#over ? never() : this.#result(Reflect.apply(value, of, args)));
		// What holds calls of its own: a mover's control.
		return typeof value === 'object' && value !== null && hasCalls(value) ? this.guard(value) : value;
	}

	#result(result: unknown): unknown {
		if (result instanceof Promise) return this.pass(result);
		return typeof result === 'object' && result !== null && hasCalls(result) ? this.guard(result) : result;
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
