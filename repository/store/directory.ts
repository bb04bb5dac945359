import { mkdir, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import { type Clock, systemClock } from '../../system/clock.ts';
import {
	createFileDurably,
	isErrno,
	isSpaceShort,
	removeFileDurably,
	syncDirectory,
	temporarySuffix,
} from '../../system/durable-file.ts';
import type { Store, StoredObject, StoreProperties } from './contract.ts';
import { checkKey } from './key.ts';
import { OpenFiles } from './open-files.ts';

/** A store in a directory: a key is a path under it. The directory must exist. */
export class DirectoryStore implements Store {
	readonly properties: StoreProperties = { maxParallelReads: 4, readBytes: 4 * 1024 * 1024 };
	readonly location: string;
	readonly #files: OpenFiles;

	constructor(directory: string, clock: Pick<Clock, 'now'> = systemClock) {
		this.location = directory;
		this.#files = new OpenFiles(clock);
	}

	async putExclusive(key: string, data: Uint8Array, signal?: AbortSignal): Promise<boolean> {
		const path = this.#path(key);
		try {
			signal?.throwIfAborted();
			await this.#makeParents(dirname(path));
			return await createFileDurably(path, data, { signal });
		} catch (cause) {
			throwReason(cause, signal);
			throw writeFailure(cause, `cannot write ${data.length} bytes to ${path}`);
		}
	}

	async read(key: string, offsetBytes: number, into: Uint8Array, signal?: AbortSignal): Promise<number | undefined> {
		const path = this.#path(key);
		try {
			return await this.#files.read(path, offsetBytes, into, signal);
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
			const found = await stat(path);
			return found.isFile() ? found.size : undefined;
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
			await removeFileDurably(path);
		} catch (cause) {
			throw writeFailure(cause, `cannot delete ${path}`);
		}
	}

	async close(): Promise<void> {
		await this.#files.close();
	}

	#path(key: string): string {
		checkKey(key);
		return join(this.location, key);
	}

	/** `folder` is empty or ends with "/". */
	async *#walk(folder: string, prefix: string, signal: AbortSignal | undefined): AsyncGenerator<StoredObject> {
		signal?.throwIfAborted();
		for (const { name, isFolder } of await this.#entries(folder)) {
			const key = folder + name;
			// Below a folder whose name goes on differently than the prefix nothing can match.
			if (!key.startsWith(prefix) && !prefix.startsWith(key)) continue;
			if (isFolder) yield* this.#walk(key, prefix, signal);
			else {
				const sizeBytes = await this.size(key, signal);
				if (sizeBytes !== undefined && key.startsWith(prefix)) yield { key, sizeBytes };
			}
		}
	}

	/** Sorted as keys are: a folder counts with its slash, so that `a-b` comes before `a/b`. */
	async #entries(folder: string): Promise<{ name: string; isFolder: boolean }[]> {
		const path = join(this.location, folder);
		try {
			return (await readdir(path, { withFileTypes: true }))
				.filter(entry => !entry.name.startsWith('.') && !entry.name.endsWith(temporarySuffix))
				.filter(entry => entry.isDirectory() || (entry.isFile() && isKeyPart(entry.name)))
				.map(entry => ({ name: entry.isDirectory() ? `${entry.name}/` : entry.name, isFolder: entry.isDirectory() }))
				.toSorted((a, b) => (a.name < b.name ? -1 : 1));
		} catch (cause) {
			if (folder !== '' && isAbsence(cause)) return [];
			throw unreachable(cause, `cannot list ${path}`);
		}
	}

	/** Each new directory is made durable in its parent: else a crash could take away a file that was promised. */
	async #makeParents(path: string): Promise<void> {
		// The store's own directory is never made here: when it is gone, so is what holds it.
		if (path === this.location) return;
		try {
			await mkdir(path);
		} catch (error) {
			if (isErrno(error, 'EEXIST')) return;
			if (!isErrno(error, 'ENOENT') || dirname(path) === this.location) throw error;
			await this.#makeParents(dirname(path));
			return this.#makeParents(path);
		}
		await syncDirectory(dirname(path));
	}
}

/** A call that was given up is no failure of the store. */
function throwReason(cause: unknown, signal: AbortSignal | undefined): void {
	if (signal?.aborted && cause === signal.reason) throw cause;
}

function isKeyPart(name: string): boolean {
	return /^[a-zA-Z0-9._:-]+$/.test(name);
}

/** Also a key below another object's key, or a folder instead of an object. */
function isAbsence(error: unknown): boolean {
	return isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR') || isErrno(error, 'EISDIR');
}

/**
 * What read(2) and open(2) say of a bad sector, and file systems of metadata or data that do not match their checksums:
 * EIO, EBADMSG, EUCLEAN (Linux, include/uapi/asm-generic/errno.h; ext4.h calls the last two EFSBADCRC and EFSCORRUPTED).
 * By number: libuv does not name them all.
 */
function isLoss(error: unknown): boolean {
	return error instanceof Error && 'errno' in error && [-5, -74, -117].includes(Number(error.errno));
}

function unreachable(cause: unknown, what: string): RouseError {
	return new RouseError('store_unreachable', `${what}: ${reason(cause)}`, { cause });
}

function writeFailure(cause: unknown, what: string): RouseError {
	if (isSpaceShort(cause))
		return new RouseError('space_short', `${what}: no space is left`, { cause, hint: 'make room on that file system' });
	if (isErrno(cause, 'ENOENT')) return unreachable(cause, what);
	return new RouseError('io_failed', `${what}: ${reason(cause)}`, { cause });
}

function reason(cause: unknown): string {
	return cause instanceof Error ? cause.message : String(cause);
}
