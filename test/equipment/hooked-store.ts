import type { ObjectWriter, Store } from '../../repository/store/contract.ts';

/** A store of whose every call somebody is told before it is made, and who may let it wait or fail. */
export function hookedStore(store: Store, before: (call: string, key: string) => Promise<void>): Store {
	const hookedWriter = (writer: ObjectWriter, key: string): ObjectWriter => ({
		append: async bytes => {
			await before('append', key);
			await writer.append(bytes);
		},
		finish: async () => {
			await before('finish', key);
			return writer.finish();
		},
		abandon: () => writer.abandon(),
	});
	return {
		properties: store.properties,
		location: store.location,
		putExclusive: async (key, data, signal) => {
			await before('putExclusive', key);
			return store.putExclusive(key, data, signal);
		},
		create: async (key, signal) => {
			await before('create', key);
			return hookedWriter(await store.create(key, signal), key);
		},
		settle: async (prefix, signal) => {
			await before('settle', prefix);
			await store.settle(prefix, signal);
		},
		read: async (key, offsetBytes, into, signal) => {
			await before('read', key);
			return store.read(key, offsetBytes, into, signal);
		},
		size: async (key, signal) => {
			await before('size', key);
			return store.size(key, signal);
		},
		async *list(prefix, signal) {
			await before('list', prefix);
			for await (const object of store.list(prefix, signal)) {
				yield object;
				await before('listed', object.key);
			}
		},
		async *listKeys(prefix, signal) {
			await before('list', prefix);
			for await (const key of store.listKeys(prefix, signal)) {
				yield key;
				await before('listed', key);
			}
		},
		delete: async key => {
			await before('delete', key);
			await store.delete(key);
		},
		close: () => store.close(),
	};
}
