import { type FileHandle, lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import { type Clock, systemClock } from '../../system/clock.ts';
import {
	createFileDurably,
	isErrno,
	isSpaceShort,
	removeFileDurably,
	temporarySuffix,
} from '../../system/durable-file.ts';
import type { Store, StoredObject, StoreProperties } from './contract.ts';
import { inFolder, openRegular, type PathIn, regularSize } from './folder.ts';
import { checkKey, isKeyPart, maxKeyLength } from './key.ts';
import { OpenFiles } from './open-files.ts';

/** Names in one folder: far more than any repository has, and few enough to be sorted in memory. */
const maxNames = 1_000_000;

/**
 * A store in a directory: a key is a path under it. The directory must exist. Whoever owns it may be an enemy: see
 * folder.ts. What is no regular file is `format_damaged` to who reads it; names that no key has are not seen.
 */
export class DirectoryStore implements Store {
	readonly properties: StoreProperties = { maxParallelReads: 4, readBytes: 4 * 1024 * 1024 };
	readonly location: string;
	readonly #files: OpenFiles;

	constructor(directory: string, clock: Pick<Clock, 'now'> = systemClock) {
		this.location = directory;
		this.#files = new OpenFiles(key => this.#openObject(key), clock);
	}

	async putExclusive(key: string, data: Uint8Array, signal?: AbortSignal): Promise<boolean> {
		const path = this.#path(key);
		try {
			signal?.throwIfAborted();
			const put = (at: PathIn, name: string) => createFileDurably(at(name), data, { signal });
			return await this.#within(key, put, { make: true });
		} catch (cause) {
			throwReason(cause, signal);
			throw writeFailure(cause, `cannot write ${data.length} bytes to ${path}`);
		}
	}

	async read(key: string, offsetBytes: number, into: Uint8Array, signal?: AbortSignal): Promise<number | undefined> {
		const path = this.#path(key);
		try {
			return await this.#files.read(key, offsetBytes, into, signal);
		} catch (cause) {
			throwReason(cause, signal);
			if (isAbsence(cause)) return undefined;
			const what = `cannot read ${into.length} bytes at ${offsetBytes} of ${path}`;
			if (isLoss(cause)) throw new RouseError('io_failed', `${what}: ${reason(cause)}`, { cause });
			throw unreachable(cause, what);
		}
	}

	async size(key: string, signal?: AbortSignal): Promise<number | undefined> {
		const path = this.#path(key);
		signal?.throwIfAborted();
		try {
			return await this.#within(key, (at, name) => regularSize(at(name), path));
		} catch (cause) {
			if (isAbsence(cause)) return undefined;
			throw unreachable(cause, `cannot look at ${path}`);
		}
	}

	async *list(prefix: string, signal?: AbortSignal): AsyncGenerator<StoredObject> {
		const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
		yield* this.#walk(folder, prefix, signal);
	}

	async delete(key: string): Promise<void> {
		const path = this.#path(key);
		try {
			await this.#within(key, (at, name) => removeFileDurably(at(name)));
		} catch (cause) {
			if (isAbsence(cause)) return;
			throw writeFailure(cause, `cannot delete ${path}`);
		}
	}

	async close(): Promise<void> {
		await this.#files.close();
	}

	/** For people; what is there is reached by {@link #within}. */
	#path(key: string): string {
		checkKey(key);
		return join(this.location, key);
	}

	#within<T>(key: string, work: (at: PathIn, name: string) => Promise<T>, options?: { make: boolean }): Promise<T> {
		const parts = key.split('/');
		const name = parts.pop() ?? '';
		return inFolder(this.location, parts, at => work(at, name), options);
	}

	#openObject(key: string): Promise<FileHandle> {
		return this.#within(key, (at, name) => openRegular(at(name), join(this.location, key)));
	}

	/** `folder` is empty or ends with "/". */
	async *#walk(folder: string, prefix: string, signal: AbortSignal | undefined): AsyncGenerator<StoredObject> {
		for (const { key, sizeBytes } of await this.#entries(folder, prefix, signal)) {
			signal?.throwIfAborted();
			if (sizeBytes === undefined) yield* this.#walk(key, prefix, signal);
			else yield { key, sizeBytes };
		}
	}

	/** What in a folder a listing has to do with, sorted by key. A folder's key ends with its slash; it has no size. */
	async #entries(folder: string, prefix: string, signal: AbortSignal | undefined): Promise<Entry[]> {
		const path = join(this.location, folder);
		signal?.throwIfAborted();
		try {
			const parts = folder.split('/').filter(part => part !== '');
			const entries = await inFolder(this.location, parts, async at => {
				const found: Entry[] = [];
				for (const { name, isFolder, isFile } of await namesIn(at('.'), path)) {
					const key = isFolder ? `${folder}${name}/` : folder + name;
					// Below a folder whose name goes on differently than the prefix nothing can match.
					if (key.length > maxKeyLength || !(key.startsWith(prefix) || (isFolder && prefix.startsWith(key)))) continue;
					signal?.throwIfAborted();
					// What is no file is listed with nothing in it: who reads it is told that it is damaged, and not that it is gone.
					const sizeBytes = isFolder ? undefined : isFile ? await sizeIfThere(at(name)) : 0;
					if (isFolder || sizeBytes !== undefined) found.push({ key, sizeBytes });
				}
				return found;
			});
			return entries.toSorted((a, b) => (a.key < b.key ? -1 : 1));
		} catch (cause) {
			throwReason(cause, signal);
			if (folder !== '' && isAbsence(cause)) return [];
			throw unreachable(cause, `cannot list ${path}`);
		}
	}
}

interface Entry {
	key: string;
	sizeBytes: number | undefined;
}

interface Name {
	name: string;
	isFolder: boolean;
	isFile: boolean;
}

/** Names as keys may have them; hidden ones, what a crash left, and whatever else lies there are left out. */
async function namesIn(at: string, path: string): Promise<Name[]> {
	const names: Name[] = [];
	for await (const entry of await opendir(at, { bufferSize: 1024 })) {
		const { name } = entry;
		if (!isKeyPart(name) || name.endsWith(temporarySuffix)) continue;
		if (names.length === maxNames)
			throw new RouseError('format_damaged', `${path} holds more than ${maxNames} names`, {
				hint: 'no import makes so many: look at what has filled this folder',
			});
		names.push({ name, isFolder: entry.isDirectory(), isFile: entry.isFile() });
	}
	return names;
}

async function sizeIfThere(at: string): Promise<number | undefined> {
	try {
		const found = await lstat(at);
		return found.isFile() ? found.size : 0;
	} catch (error) {
		if (isAbsence(error)) return undefined;
		throw error;
	}
}

/** A call that was given up is no failure of the store. */
function throwReason(cause: unknown, signal: AbortSignal | undefined): void {
	if (signal?.aborted && cause === signal.reason) throw cause;
}

/** Also a key below another object's key. */
function isAbsence(error: unknown): boolean {
	return isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR');
}

/**
 * What read(2) and open(2) say of a bad sector, and file systems of metadata or data that do not match their checksums:
 * EIO, EBADMSG, EUCLEAN (Linux, include/uapi/asm-generic/errno.h; ext4.h calls the last two EFSBADCRC and EFSCORRUPTED).
 * By number: libuv does not name them all.
 */
function isLoss(error: unknown): boolean {
	return error instanceof Error && 'errno' in error && [-5, -74, -117].includes(Number(error.errno));
}

/** What is in the store's place is no store: `format_damaged` as it came. Else it is the store that is away. */
function unreachable(cause: unknown, what: string): RouseError {
	if (isDamaged(cause)) return cause;
	return new RouseError('store_unreachable', `${what}: ${reason(cause)}`, { cause });
}

function isDamaged(error: unknown): error is RouseError {
	return error instanceof RouseError && error.code === 'format_damaged';
}

function writeFailure(cause: unknown, what: string): RouseError {
	if (isDamaged(cause)) return cause;
	if (isSpaceShort(cause))
		return new RouseError('space_short', `${what}: no space is left`, { cause, hint: 'make room on that file system' });
	if (isErrno(cause, 'ENOENT')) return unreachable(cause, what);
	return new RouseError('io_failed', `${what}: ${reason(cause)}`, { cause });
}

/** Without the way through an open folder (folder.ts): the path is named already. */
function reason(cause: unknown): string {
	const message = cause instanceof Error ? cause.message : String(cause);
	return message.replace(/,? ?\w* '\/proc\/self\/fd\/.*$/, '');
}
