import { RouseError } from '../model/errors.ts';
import { keys } from './format/keys.ts';
import type { Store } from './store/contract.ts';

/** Features that this program knows, by their keys: none are defined yet. */
const known: ReadonlySet<string> = new Set();

/** Folders below `features/`: what an older program must not do any more (docs/format.md, "Features"). */
type Forbidden = 'read' | 'write' | 'delete';

const words: Readonly<Record<Forbidden, string>> = {
	read: 'read it',
	write: 'store anything in it',
	delete: 'remove anything from it',
};

/**
 * Throws `repository_unsupported` when an unknown feature forbids to read the repository. Asked when one is opened, and by
 * a reader once more when its pin is durable: so whoever adds a feature need only wait for the pins of before.
 */
export async function mayRead(store: Store, signal?: AbortSignal): Promise<void> {
	await refuse(store, 'read', signal);
}

/**
 * Throws `repository_unsupported` when one forbids to create objects, pins and bad places apart. An import asks before its
 * intent, when that is durable, and directly before its manifest.
 */
export async function mayWrite(store: Store, signal?: AbortSignal): Promise<void> {
	await refuse(store, 'write', signal);
}

/** Throws `repository_unsupported` when one forbids to delete what is not one's own pin, intent or journal. */
export async function mayDelete(store: Store, signal?: AbortSignal): Promise<void> {
	await refuse(store, 'delete', signal);
}

/** Listed anew each time: a feature may come while a repository is open. Whoever may not read may do nothing else. */
async function refuse(store: Store, what: Forbidden, signal: AbortSignal | undefined): Promise<void> {
	for await (const { key } of store.list(keys.features, signal)) {
		if (known.has(key)) continue;
		const folder = key.slice(keys.features.length).split('/')[0];
		const elsewhere = folder !== 'read' && folder !== 'write' && folder !== 'delete';
		if (elsewhere || folder === 'read' || folder === what)
			throw new RouseError(
				'repository_unsupported',
				`${store.location} has the feature ${key}, which this program does not know: it must not ${words[what]}`,
				{ hint: 'use a newer version of Rouse', details: { feature: key } },
			);
	}
}
