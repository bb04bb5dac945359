import { RouseError } from '../model/errors.ts';
import { keys } from './format/keys.ts';
import { readObject } from './read-object.ts';
import type { Store } from './store/contract.ts';

/** Whether a repository is there at all: either of the two can be read, whatever it says. Throws the signal's reason alone. */
export async function hasHeader(store: Store, signal?: AbortSignal): Promise<{ there: boolean; cause?: unknown }> {
	let cause: unknown;
	for (const key of [keys.header, keys.headerCopy])
		try {
			if ((await readObject(store, key, { signal })) !== undefined) return { there: true };
		} catch (error) {
			signal?.throwIfAborted();
			cause ??= error;
		}
	return { there: false, cause };
}

/** Throws `store_unreachable` where neither is: such a store has not lost this or that, it is not mounted, or gone as a whole. */
export async function expectHeader(store: Store, signal?: AbortSignal): Promise<void> {
	const { there, cause } = await hasHeader(store, signal);
	if (!there)
		throw new RouseError('store_unreachable', `there is no repository in ${store.location} at the moment`, {
			hint: 'is its file system mounted?',
			cause,
		});
}
