import { constants, readlinkSync } from 'node:fs';
import { type FileHandle, lstat, mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import { isErrno } from '../../system/durable-file.ts';

/*
 * Whoever owns a repository's directory may put a link or a pipe in the place of anything in it, at any moment, while
 * Rouse may be root. So no link below the directory is followed, neither for reading nor for writing, and each folder is
 * opened in the one before it: Linux resolves `/proc/self/fd/N/NAME` from the folder that is open, whatever its path leads
 * to by then (proc(5)).
 */

/** A folder that is open, until it is closed. */
export class Folder {
	readonly #handle: FileHandle;
	/** For messages. */
	readonly path: string;

	private constructor(handle: FileHandle, path: string) {
		this.#handle = handle;
		this.path = path;
	}

	/** The uppermost one, which MAY be a link, and is never made: when it is gone, so is what holds it. */
	static async open(path: string): Promise<Folder> {
		return new Folder(await open(path, constants.O_RDONLY | constants.O_DIRECTORY), path);
	}

	/**
	 * A folder in this one. Throws `format_damaged` for a link in its place, else what open(2) and mkdir(2) throw. With
	 * `make` it is made when it is not there, durably: else a crash could take away what was promised.
	 */
	async child(name: string, { make = false }: { make?: boolean } = {}): Promise<Folder> {
		const path = join(this.path, name);
		const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
		try {
			return new Folder(await open(this.at(name), flags), path);
		} catch (error) {
			if (make && isErrno(error, 'ENOENT')) {
				await this.#make(name);
				return this.child(name);
			}
			// Linux says ENOTDIR of a link too, when it was asked for a folder.
			if (isErrno(error, 'ENOTDIR') && (await lstat(this.at(name))).isSymbolicLink())
				throw notOurs(path, 'a symbolic link');
			throw error;
		}
	}

	/** The way to something in it. */
	at(name: string): string {
		return `/proc/self/fd/${this.#handle.fd}/${name}`;
	}

	/** Makes the names in it durable. */
	async sync(): Promise<void> {
		await this.#handle.sync();
	}

	async close(): Promise<void> {
		await this.#handle.close();
	}

	async #make(name: string): Promise<void> {
		try {
			await mkdir(this.at(name), 0o700);
		} catch (error) {
			if (isErrno(error, 'EEXIST')) return; // somebody else has just made it
			throw error;
		}
		await this.sync();
	}
}

export interface FolderOptions {
	/** Folders that are not there are made. */
	make?: boolean;
	/**
	 * Folders whose names are known to be durable. With `make`, that of every other one on the way is made durable, whoever
	 * made the folder: he may not have come to it yet, and what is put into it is promised to last.
	 */
	settled?: Set<string>;
}

/** Does `work` in the folder `parts` below `root`; closes it then. Throws as {@link Folder} does. */
export async function inFolder<T>(
	root: string,
	parts: readonly string[],
	work: (folder: Folder) => Promise<T>,
	options?: FolderOptions,
): Promise<T> {
	const folder = await openFolder(root, parts, options);
	try {
		return await work(folder);
	} finally {
		await folder.close();
	}
}

export async function openFolder(root: string, parts: readonly string[], options: FolderOptions = {}): Promise<Folder> {
	let folder = await Folder.open(root);
	for (const part of parts) {
		const outer = folder;
		try {
			folder = await outer.child(part, options);
			if (options.make && options.settled?.has(folder.path) === false) {
				await outer.sync();
				options.settled.add(folder.path);
			}
		} catch (error) {
			if (folder !== outer) await folder.close();
			throw error;
		} finally {
			await outer.close();
		}
	}
	return folder;
}

/**
 * Opens a regular file to read it. Anything else is `format_damaged`, at once: opening a pipe would wait for a writer,
 * and opening a device may do what its driver likes. `path` is for the message.
 */
export async function openRegular(at: string, path: string): Promise<FileHandle> {
	const seen = await lstat(at);
	if (!seen.isFile()) throw notOurs(path, kindOf(seen));
	const file = await open(at, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
		(error: unknown) => {
			// Exchanged since: ELOOP for a link, ENXIO for a socket (open(2)).
			throw isErrno(error, 'ELOOP') || isErrno(error, 'ENXIO') ? notOurs(path, 'no file') : error;
		},
	);
	try {
		const found = await file.stat();
		if (!found.isFile()) throw notOurs(path, kindOf(found));
		return file;
	} catch (error) {
		await file.close();
		throw error;
	}
}

/** Whether what is open lies there, and no link led elsewhere. Asks the kernel alone, which does not wait for a medium. */
export function liesAt({ fd }: FileHandle, realPath: string): boolean {
	return readlinkSync(`/proc/self/fd/${fd}`) === realPath;
}

/** Size of a regular file; of anything else as {@link openRegular}. */
export async function regularSize(at: string, path: string): Promise<number> {
	const found = await lstat(at);
	if (!found.isFile()) throw notOurs(path, kindOf(found));
	return found.size;
}

interface Kinds {
	isDirectory(): boolean;
	isSymbolicLink(): boolean;
	isFIFO(): boolean;
	isSocket(): boolean;
}

function kindOf(stats: Kinds): string {
	if (stats.isDirectory()) return 'a directory';
	if (stats.isSymbolicLink()) return 'a symbolic link';
	if (stats.isFIFO()) return 'a pipe';
	return stats.isSocket() ? 'a socket' : 'a device';
}

function notOurs(path: string, kind: string): RouseError {
	return new RouseError('format_damaged', `${path} is ${kind}: in a repository there are files and folders only`, {
		hint: 'put this object back from a copy of the repository',
	});
}
