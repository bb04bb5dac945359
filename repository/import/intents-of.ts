import { RouseError } from '../../model/errors.ts';
import { isUnusable } from '../damage.ts';
import { keys } from '../format/keys.ts';
import type { Store } from '../store/contract.ts';
import { type ImportIntent, readIntent } from './intent.ts';

/** What imports of this machine have announced. One that is damaged, lost by the medium, or of a later version, is passed by. */
export async function* intentsOf(store: Store, machine: string, signal?: AbortSignal): AsyncGenerator<ImportIntent> {
	for await (const { key } of store.list(keys.intents, signal)) {
		const intent = await ifReadable(readIntent(store, key.slice(keys.intents.length), signal));
		if (intent?.machine === machine) yield intent;
	}
}

async function ifReadable(reading: Promise<ImportIntent | undefined>): Promise<ImportIntent | undefined> {
	try {
		return await reading;
	} catch (error) {
		if (isUnusable(error) || (error instanceof RouseError && error.code === 'repository_unsupported')) return undefined;
		throw error;
	}
}
