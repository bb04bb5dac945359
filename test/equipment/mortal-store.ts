import { RouseError } from '../../model/errors.ts';
import type { ObjectWriter, Store, StoredObject, StoreProperties } from '../../repository/store/contract.ts';

/** What a death, or another process, can come between. */
export interface Calls {
	/** Before each call that changes something or looks at it. */
	before(call: string): Promise<void>;
	/** When the store has done it, and before it has answered. */
	after(call: string): Promise<void>;
}

/** Another store as one process sees it: each call of it goes through `calls`. */
export class WatchedStore implements Store {
	readonly #store: Store;
	readonly #calls: Calls;

	constructor(store: Store, calls: Calls) {
		this.#store = store;
		this.#calls = calls;
	}

	get properties(): StoreProperties {
		return this.#store.properties;
	}

	get location(): string {
		return this.#store.location;
	}

	putExclusive(key: string, data: Uint8Array, signal?: AbortSignal): Promise<boolean> {
		return this.#call(`put ${key}`, () => this.#store.putExclusive(key, data, signal));
	}

	async create(key: string, signal?: AbortSignal): Promise<ObjectWriter> {
		const writer = await this.#call(`create ${key}`, () => this.#store.create(key, signal));
		return {
			append: bytes => this.#call(`append ${key}`, () => writer.append(bytes)),
			finish: () => this.#call(`finish ${key}`, () => writer.finish()),
			abandon: () => writer.abandon(),
		};
	}

	settle(prefix: string, signal?: AbortSignal): Promise<void> {
		return this.#call(`settle ${prefix}`, () => this.#store.settle(prefix, signal));
	}

	read(key: string, offsetBytes: number, into: Uint8Array, signal?: AbortSignal): Promise<number | undefined> {
		return this.#call(`read ${key}`, () => this.#store.read(key, offsetBytes, into, signal));
	}

	size(key: string, signal?: AbortSignal): Promise<number | undefined> {
		return this.#call(`size ${key}`, () => this.#store.size(key, signal));
	}

	async *list(prefix: string, signal?: AbortSignal): AsyncGenerator<StoredObject> {
		await this.#call(`list ${prefix}`, async () => {});
		yield* this.#store.list(prefix, signal);
	}

	async *listKeys(prefix: string, signal?: AbortSignal): AsyncGenerator<string> {
		await this.#call(`list ${prefix}`, async () => {});
		yield* this.#store.listKeys(prefix, signal);
	}

	delete(key: string): Promise<void> {
		return this.#call(`delete ${key}`, () => this.#store.delete(key));
	}

	async close(): Promise<void> {}

	async #call<T>(call: string, work: () => Promise<T>): Promise<T> {
		await this.#calls.before(call);
		const answer = await work();
		await this.#calls.after(call);
		return answer;
	}
}

/** Dies at a call, before or after it is done; from then on nothing that its process does reaches the store. */
export class Death implements Calls {
	calls = 0;
	readonly #at: number;
	readonly #isAfter: boolean;

	constructor(at: number, isAfter = false) {
		this.#at = at;
		this.#isAfter = isAfter;
	}

	async before(): Promise<void> {
		this.calls++;
		if (this.calls > this.#at || (this.calls === this.#at && !this.#isAfter)) throw dead();
	}

	async after(): Promise<void> {
		if (this.calls >= this.#at) throw dead();
	}
}

function dead(): RouseError {
	return new RouseError('store_unreachable', 'this process is dead');
}
