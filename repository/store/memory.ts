import { checkKey } from './key.ts';
import type { ObjectWriter, Store, StoredObject, StoreProperties } from './contract.ts';

/** A store that lives as long as this object: for tests. */
export class MemoryStore implements Store {
	readonly properties: StoreProperties = { maxParallelReads: 4, readBytes: 4096 };
	readonly location = 'memory';
	readonly #objects = new Map<string, Buffer>();

	async putExclusive(key: string, data: Uint8Array, signal?: AbortSignal): Promise<boolean> {
		signal?.throwIfAborted();
		checkKey(key);
		if (this.#objects.has(key)) return false;
		this.#objects.set(key, Buffer.from(data));
		return true;
	}

	async create(key: string, signal?: AbortSignal): Promise<ObjectWriter> {
		signal?.throwIfAborted();
		checkKey(key);
		const parts: Buffer[] = [];
		return {
			append: async bytes => {
				signal?.throwIfAborted();
				parts.push(Buffer.from(bytes));
			},
			finish: async () => this.putExclusive(key, Buffer.concat(parts), signal),
			abandon: async () => {
				parts.length = 0;
			},
		};
	}

	async settle(_prefix: string, signal?: AbortSignal): Promise<void> {
		signal?.throwIfAborted();
	}

	async read(key: string, offsetBytes: number, into: Uint8Array, signal?: AbortSignal): Promise<number | undefined> {
		signal?.throwIfAborted();
		checkKey(key);
		const object = this.#objects.get(key);
		if (object === undefined) return undefined;
		return object.copy(into, 0, Math.min(offsetBytes, object.length));
	}

	async size(key: string, signal?: AbortSignal): Promise<number | undefined> {
		signal?.throwIfAborted();
		checkKey(key);
		return this.#objects.get(key)?.length;
	}

	async *list(prefix: string, signal?: AbortSignal): AsyncGenerator<StoredObject> {
		signal?.throwIfAborted();
		for (const key of [...this.#objects.keys()].toSorted()) {
			signal?.throwIfAborted();
			const sizeBytes = this.#objects.get(key)?.length;
			if (key.startsWith(prefix) && sizeBytes !== undefined) yield { key, sizeBytes };
		}
	}

	async *listKeys(prefix: string, signal?: AbortSignal): AsyncGenerator<string> {
		for await (const { key } of this.list(prefix, signal)) yield key;
	}

	async delete(key: string): Promise<void> {
		checkKey(key);
		this.#objects.delete(key);
	}

	async close(): Promise<void> {
		this.#objects.clear();
	}
}
