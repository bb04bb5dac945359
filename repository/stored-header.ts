import { RouseError } from '../model/errors.ts';
import { decodeHeader, type RepositoryHeader } from './format/header.ts';
import { keys } from './format/keys.ts';
import { readObject } from './read-object.ts';
import type { Store } from './store/contract.ts';

/**
 * What a repository says of itself: by its header, or by the copy when that is gone or damaged; undefined when neither is
 * there. When both are whole the header counts, whatever the copy says. Throws what is wrong with the header when the copy
 * is no help, and `repository_unsupported` for one of another version.
 */
export async function readHeader(store: Store, signal?: AbortSignal): Promise<RepositoryHeader | undefined> {
	const header = await readOne(store, keys.header, signal);
	if (header !== undefined && !(header instanceof RouseError)) return header;
	const copy = await readOne(store, keys.headerCopy, signal);
	if (copy !== undefined && !(copy instanceof RouseError)) return copy;
	const damage = header ?? copy;
	if (damage === undefined) return undefined;
	throw damage;
}

/** One of the two; damage is returned. */
export async function readOne(
	store: Store,
	key: typeof keys.header | typeof keys.headerCopy,
	signal?: AbortSignal,
): Promise<RepositoryHeader | RouseError | undefined> {
	try {
		const bytes = await readObject(store, key, { signal });
		return bytes && decodeHeader(bytes, key);
	} catch (error) {
		if (error instanceof RouseError && (error.code === 'format_damaged' || error.code === 'io_failed')) return error;
		throw error;
	}
}

/** Puts the copy where it is missing: an import does that. Throws `format_damaged`: a damaged header makes no good copy. */
export async function writeMissingCopy(store: Store, signal?: AbortSignal): Promise<void> {
	if (await isStored(store, keys.headerCopy, signal)) return;
	const bytes = await readObject(store, keys.header, { signal });
	if (bytes === undefined) return;
	decodeHeader(bytes);
	await store.putExclusive(keys.headerCopy, bytes, signal);
}

/** Also when something that is no file is in its place. */
export async function isStored(store: Store, key: string, signal?: AbortSignal): Promise<boolean> {
	try {
		return (await store.size(key, signal)) !== undefined;
	} catch (error) {
		if (error instanceof RouseError && error.code === 'format_damaged') return true;
		throw error;
	}
}
