import { randomUUID } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { asRouseError, RouseError } from '../model/errors.ts';
import { isErrno, syncDirectory, temporarySuffix } from '../system/durable-file.ts';
import { makeFolders } from '../system/make-folders.ts';
import { digestAlgorithm } from './format/digest.ts';
import { mayRead } from './features.ts';
import { encodeHeader } from './format/header.ts';
import { keys } from './format/keys.ts';
import { isStored, readHeader } from './stored-header.ts';
import type { Store } from './store/contract.ts';
import { mustBeOurs, mustNotBeEverybodys } from './store/directory-access.ts';
import { DirectoryStore } from './store/directory.ts';

export interface Repository {
	readonly id: string;
	/** For people: the directory. */
	readonly location: string;
	/** Size of the chunks of new restore points. */
	readonly chunkSizeBytes: number;
	/** Size of the frames in them. */
	readonly frameSizeBytes: number;
	/** Closed by whoever opened the repository. */
	readonly store: Store;
}

/** Measured: docs/format.md, "Why 128 KiB". */
export const defaultChunkSizeBytes = 128 * 1024;

/** Half a chunk: a guest reads little at random places. */
export const defaultFrameSizeBytes = 64 * 1024;

export interface RepositorySizes {
	chunkSizeBytes?: number;
	frameSizeBytes?: number;
}

/**
 * Makes a repository in a directory that is empty or not there yet. `repository_exists` when there is one already;
 * `usage` when the directory holds something else.
 */
export async function initRepository(directory: string, sizes: RepositorySizes = {}): Promise<Repository> {
	const path = resolve(directory);
	await makeEmptyDirectory(path);
	const store = new DirectoryStore(path);
	await initStore(store, sizes);
	return openStore(store);
}

/** Makes a repository of an empty store. `repository_exists` when it is one already. */
export async function initStore(
	store: Store,
	{ chunkSizeBytes = defaultChunkSizeBytes, frameSizeBytes = defaultFrameSizeBytes }: RepositorySizes = {},
): Promise<void> {
	const header = encodeHeader({ id: randomUUID(), digest: digestAlgorithm, chunkSizeBytes, frameSizeBytes });
	// One whose header is lost is a repository still: a new header would make all its points those of another.
	if (await isStored(store, keys.headerCopy)) throw alreadyExists(store.location);
	if (!(await store.putExclusive(keys.header, header))) throw alreadyExists(store.location);
	await store.putExclusive(keys.headerCopy, header);
}

/** `repository_missing`, `repository_unsupported`, `config_invalid`, `format_damaged` or `store_unreachable`. */
export async function openRepository(directory: string): Promise<Repository> {
	const path = resolve(directory);
	await mustNotBeEverybodys(path);
	return openStore(new DirectoryStore(path));
}

/** Opens the repository of a directory for as long as `work` takes. */
export async function withRepositoryIn<T>(directory: string, work: (repository: Repository) => Promise<T>): Promise<T> {
	const repository = await openRepository(directory);
	try {
		return await work(repository);
	} finally {
		await repository.store.close();
	}
}

/** The repository in a store; same errors as {@link openRepository}. The store is closed when there is none. */
export async function openStore(store: Store): Promise<Repository> {
	try {
		const header = await readHeader(store);
		if (header === undefined)
			throw new RouseError('repository_missing', `no repository in ${store.location}`, {
				// Whoever makes a new one on an empty mount point hides the one that is missed.
				hint: `is its file system mounted? Where there never was one: rouse repo init ${store.location}`,
			});
		await mayRead(store);
		const { id, chunkSizeBytes, frameSizeBytes } = header;
		return { id, location: store.location, chunkSizeBytes, frameSizeBytes, store };
	} catch (error) {
		await store.close();
		throw error;
	}
}

async function makeEmptyDirectory(path: string): Promise<void> {
	let found: string[];
	try {
		found = await readdir(path);
	} catch (error) {
		if (!isErrno(error, 'ENOENT')) throw notADirectory(path, error);
		const first = await makeFolders(path, 0o700).catch((cause: unknown) => {
			throw isErrno(cause, 'EACCES') ? notAllowed(path, cause) : cause;
		});
		if (first !== undefined) await syncDirectory(dirname(first));
		return;
	}
	await mustBeOurs(path);
	if (found.includes(keys.header) || found.includes(keys.headerCopy)) throw alreadyExists(path);
	const foreign = found.filter(name => name !== 'lost+found' && !name.endsWith(temporarySuffix));
	if (foreign.length > 0)
		throw new RouseError('usage', `${path} is not empty: it holds ${foreign.length} entries, ${foreign[0]} for one`, {
			hint: 'a repository gets a directory of its own',
		});
}

function alreadyExists(location: string): RouseError {
	return new RouseError('repository_exists', `there is a repository in ${location} already`, {
		hint: `use it: rouse repo add NAME ${location}`,
	});
}

function notAllowed(path: string, cause: unknown): RouseError {
	return new RouseError('usage', `${path} may not be made by this user`, {
		hint: `choose a directory of your own, or make it as root: install -d -m 0700 -o ${process.geteuid?.()} ${path}`,
		cause,
	});
}

function notADirectory(path: string, cause: unknown): RouseError {
	if (isErrno(cause, 'EACCES')) return new RouseError('usage', `${path} may not be read by this user`, { cause });
	const why = isErrno(cause, 'ENOTDIR') ? 'it is no directory' : asRouseError(cause).message;
	return new RouseError('usage', `${path}: ${why}`, { cause });
}
