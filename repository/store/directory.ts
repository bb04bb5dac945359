import { type FileHandle, lstat, opendir, realpath, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import { exactBytes } from '../../model/format-bytes.ts';
import { type Clock, systemClock } from '../../system/clock.ts';
import {
	createFileDurably,
	isErrno,
	isSpaceShort,
	removeFileDurably,
	temporarySuffix,
} from '../../system/durable-file.ts';
import type { ObjectWriter, Store, StoredObject, StoreProperties } from './contract.ts';
import { DirectoryWriter } from './directory-writer.ts';
import { type Folder, type FolderOptions, inFolder, liesAt, openFolder, openRegular, regularSize } from './folder.ts';
import { checkKey, isKeyPart, maxKeyLength } from './key.ts';
import { isOnLocalDisk } from './local-file-systems.ts';
import { OpenFiles } from './open-files.ts';

/** Names in one folder: far more than any repository has, and few enough to be sorted in memory. */
const maxNames = 1_000_000;

/**
 * A store in a directory: a key is a path under it. The directory must exist. Whoever owns it may be an enemy: see
 * folder.ts. What is no regular file is `format_damaged` to who reads it; names that no key has are not seen.
 */
export class DirectoryStore implements Store {
	readonly properties: StoreProperties = { maxParallelReads: 4, readBytes: 1024 * 1024 };
	readonly location: string;
	readonly #files: OpenFiles;
	/** Folders whose names this store has seen made durable. */
	readonly #settled = new Set<string>();
	#isLocal: boolean | undefined;

	constructor(directory: string, clock: Pick<Clock, 'now'> = systemClock) {
		this.location = directory;
		this.#files = new OpenFiles(key => this.#openObject(key), clock);
	}

	async putExclusive(key: string, data: Uint8Array, signal?: AbortSignal): Promise<boolean> {
		const path = this.#path(key);
		try {
			signal?.throwIfAborted();
			const put = (folder: Folder, name: string) => createFileDurably(folder.at(name), data, { signal });
			return await this.#within(key, put, { make: true, settled: this.#settled });
		} catch (cause) {
			throwReason(cause, signal);
			throw writeFailure(cause, `cannot write ${exactBytes(data.length)} to ${path}`);
		}
	}

	async create(key: string, signal?: AbortSignal): Promise<ObjectWriter> {
		const path = this.#path(key);
		const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
			try {
				return await work();
			} catch (cause) {
				throwReason(cause, signal);
				throw writeFailure(cause, `cannot write ${path}`);
			}
		};
		const writer = await guarded(async () => {
			signal?.throwIfAborted();
			return DirectoryWriter.begin(this.location, key, this.#settled, signal);
		});
		return {
			append: bytes => guarded(() => writer.append(bytes)),
			finish: () => guarded(() => writer.finish()),
			abandon: () => guarded(() => writer.abandon()),
		};
	}

	async settle(prefix: string, signal?: AbortSignal): Promise<void> {
		const parts = prefix.split('/').slice(0, -1);
		signal?.throwIfAborted();
		try {
			// Each folder above too: whoever made one of these may not have come to making its name durable.
			for (let depth = 0; depth < parts.length; depth++)
				await inFolder(this.location, parts.slice(0, depth), folder => folder.sync());
			await inFolder(this.location, parts, folder => syncAll(folder, signal));
		} catch (cause) {
			if (isAbsence(cause)) return;
			throwReason(cause, signal);
			throw writeFailure(cause, `cannot make the names in ${join(this.location, ...parts)} durable`);
		}
	}

	async read(key: string, offsetBytes: number, into: Uint8Array, signal?: AbortSignal): Promise<number | undefined> {
		const path = this.#path(key);
		try {
			return await this.#files.read(key, offsetBytes, into, signal);
		} catch (cause) {
			throwReason(cause, signal);
			if (isAbsence(cause)) return undefined;
			throw lostOrUnreachable(cause, `cannot read ${exactBytes(into.length)} at offset ${offsetBytes} of ${path}`);
		}
	}

	readNow(key: string, offsetBytes: number, into: Uint8Array): number | undefined {
		this.#isLocal ??= isOnLocalDisk(this.location);
		return this.#isLocal ? this.#files.readNow(key, offsetBytes, into) : undefined;
	}

	async size(key: string, signal?: AbortSignal): Promise<number | undefined> {
		const path = this.#path(key);
		signal?.throwIfAborted();
		try {
			return await this.#within(key, (folder, name) => regularSize(folder.at(name), path));
		} catch (cause) {
			if (isAbsence(cause)) return undefined;
			throw lostOrUnreachable(cause, `cannot look at ${path}`);
		}
	}

	async *list(prefix: string, signal?: AbortSignal): AsyncGenerator<StoredObject> {
		yield* sized(this.#filesUnder(prefix, isObjectName, signal));
	}

	async *listKeys(prefix: string, signal?: AbortSignal): AsyncGenerator<string> {
		for await (const { key } of this.#filesUnder(prefix, isObjectName, signal)) yield key;
	}

	async *leftovers(signal?: AbortSignal): AsyncGenerator<StoredObject> {
		yield* sized(this.#filesUnder('', isLeftover, signal));
	}

	async delete(key: string): Promise<void> {
		const path = this.#path(key);
		try {
			await this.#within(key, (folder, name) => removeFileDurably(folder.at(name)));
		} catch (cause) {
			if (isAbsence(cause)) return;
			throw writeFailure(cause, `cannot delete ${path}`);
		}
	}

	/**
	 * Its folder, with what crashes have left in it: whoever lists would go through all that ever were, and a folder holds no more
	 * than a million names.
	 */
	async forget(prefix: string): Promise<void> {
		const parts = prefix.split('/').slice(0, -1);
		const name = parts.pop();
		if (name === undefined) return;
		this.#settled.delete(join(this.location, ...parts, name));
		try {
			await inFolder(this.location, [...parts, name], async folder => {
				for (const left of await entriesOf(folder, '', isLeftover)) await rm(folder.at(left.name));
			});
			await inFolder(this.location, parts, folder => rmdir(folder.at(name)));
		} catch {
			// Something is in it all the same, or it is gone.
		}
	}

	async close(): Promise<void> {
		await this.#files.close();
	}

	async *#filesUnder(prefix: string, of: Wanted['of'], signal: AbortSignal | undefined): AsyncGenerator<FoundFile> {
		const parts = prefix.split('/').slice(0, -1);
		signal?.throwIfAborted();
		let folder: Folder;
		try {
			folder = await openFolder(this.location, parts);
		} catch (cause) {
			if (parts.length > 0 && isAbsence(cause)) return;
			throw unreachable(cause, `cannot list ${join(this.location, ...parts)}`);
		}
		yield* walk(folder, prefix.slice(0, prefix.lastIndexOf('/') + 1), { prefix, of, signal });
	}

	/** For people; what is there is reached by {@link #within}. */
	#path(key: string): string {
		checkKey(key);
		return join(this.location, key);
	}

	#within<T>(key: string, work: (folder: Folder, name: string) => Promise<T>, options?: FolderOptions): Promise<T> {
		const parts = key.split('/');
		const name = parts.pop() ?? '';
		return inFolder(this.location, parts, folder => work(folder, name), options);
	}

	/** Straight, and looked at afterwards: from folder to folder takes three times as long, for each read of another pack. */
	async #openObject(key: string): Promise<FileHandle> {
		const path = join(this.location, key);
		const file = await openRegular(path, path);
		try {
			if (liesAt(file, join(await realpath(this.location), key))) return file;
		} catch (error) {
			await file.close();
			throw error;
		}
		// By a link, or moved in this moment.
		await file.close();
		return this.#within(key, (folder, name) => openRegular(folder.at(name), path));
	}
}

/** The names in a folder and in those below it. */
async function syncAll(folder: Folder, signal: AbortSignal | undefined): Promise<void> {
	signal?.throwIfAborted();
	await folder.sync();
	for (const { name, isFolder } of await entriesOf(folder, '', isObjectName)) {
		const child = isFolder ? await unlessGone(folder.child(name)) : undefined;
		if (child === undefined) continue;
		try {
			await syncAll(child, signal);
		} finally {
			await child.close();
		}
	}
}

interface Wanted {
	prefix: string;
	/** Names of files; folders are always gone into. */
	of: (name: string) => boolean;
	signal: AbortSignal | undefined;
}

interface FoundFile extends Entry {
	/** In which it lies; open until the next one is asked for. */
	folder: Folder;
}

/** What is below a folder, which is closed then. `before`: the keys' beginning; it is empty or ends with "/". */
async function* walk(folder: Folder, before: string, wanted: Wanted): AsyncGenerator<FoundFile> {
	const { prefix, of, signal } = wanted;
	try {
		const found = entriesOf(folder, before, of);
		for (const entry of (before === '' ? await found : await unlessGone(found)) ?? []) {
			const { key, name, isFolder } = entry;
			signal?.throwIfAborted();
			// Below a folder whose name goes on differently than the prefix nothing can match.
			if (!key.startsWith(prefix) && !(isFolder && prefix.startsWith(key))) continue;
			if (isFolder) {
				const child = await unlessGone(folder.child(name));
				if (child !== undefined) yield* walk(child, key, wanted);
			} else yield { ...entry, folder };
		}
	} catch (cause) {
		throwReason(cause, signal);
		throw unreachable(cause, `cannot list ${folder.path}`);
	} finally {
		await folder.close();
	}
}

interface Entry {
	/** That of a folder ends with its slash. */
	key: string;
	name: string;
	isFolder: boolean;
	isFile: boolean;
}

/** What a crash left is none. */
function isObjectName(name: string): boolean {
	return isKeyPart(name) && !name.endsWith(temporarySuffix);
}

function isLeftover(name: string): boolean {
	return name.endsWith(temporarySuffix);
}

/** Sorted by key. Folders that cannot be of a key are left out. */
async function entriesOf(folder: Folder, before: string, of: (name: string) => boolean): Promise<Entry[]> {
	const entries: Entry[] = [];
	for await (const entry of await opendir(folder.at('.'), { bufferSize: 1024 })) {
		const { name } = entry;
		const isFolder = entry.isDirectory();
		const key = `${before}${name}${isFolder ? '/' : ''}`;
		if (!(isFolder ? isObjectName(name) : of(name)) || key.length > maxKeyLength) continue;
		if (entries.length === maxNames)
			throw new RouseError('format_damaged', `${folder.path} holds more than ${maxNames} names`, {
				hint: 'no import makes so many: look at what has filled this folder',
			});
		entries.push({ key, name, isFolder, isFile: entry.isFile() });
	}
	// A folder counts with its slash, so that `a-b` comes before `a/b`.
	return entries.toSorted((a, b) => (a.key < b.key ? -1 : 1));
}

/** Looking at each of them is most of what a listing costs. */
async function* sized(files: AsyncIterable<FoundFile>): AsyncGenerator<StoredObject> {
	for await (const { key, name, isFile, folder } of files) {
		try {
			// What is no file is listed with nothing in it: who reads it is told that it is damaged, and not that it is gone.
			const sizeBytes = isFile ? await unlessGone(sizeOf(folder.at(name))) : 0;
			if (sizeBytes !== undefined) yield { key, sizeBytes };
		} catch (cause) {
			throw unreachable(cause, `cannot list ${folder.path}`);
		}
	}
}

/** Nor has one anything in it of which the medium has lost what it is. */
async function sizeOf(path: string): Promise<number> {
	try {
		const found = await lstat(path);
		return found.isFile() ? found.size : 0;
	} catch (error) {
		if (isLoss(error)) return 0;
		throw error;
	}
}

/** Undefined for what was taken away between the listing and the look at it. */
async function unlessGone<T>(looking: Promise<T>): Promise<T | undefined> {
	try {
		return await looking;
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

/** What has a code keeps it: damage, or a folder further down. Else it is the store that is away. */
function unreachable(cause: unknown, what: string): RouseError {
	if (cause instanceof RouseError) return cause;
	return new RouseError('store_unreachable', `${what}: ${reason(cause)}`, { cause });
}

function lostOrUnreachable(cause: unknown, what: string): RouseError {
	if (!isLoss(cause)) return unreachable(cause, what);
	return new RouseError('io_failed', `${what}: ${reason(cause)}`, { cause });
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
	return message.replace(/^\/proc\/self\/fd\/\S+ /, '').replace(/,? ?\w* '\/proc\/self\/fd\/.*$/, '');
}
