import { constants } from 'node:fs';
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

/** Of a folder that is open: the path of something in it. */
export type PathIn = (name: string) => string;

interface FolderOptions {
	/** Folders that are not there are made, each durable in its parent: else a crash could take away what was promised. */
	make?: boolean;
}

/**
 * Does `work` in the folder `parts` below `root`. `root` itself MAY be a link, and is never made: when it is gone, so is
 * what holds it. Throws `format_damaged` for a link in the place of a folder, else what open(2) and mkdir(2) throw.
 */
export async function inFolder<T>(
	root: string,
	parts: readonly string[],
	work: (at: PathIn) => Promise<T>,
	{ make = false }: FolderOptions = {},
): Promise<T> {
	let folder = await open(root, constants.O_RDONLY | constants.O_DIRECTORY);
	try {
		for (const [depth, part] of parts.entries()) {
			const next = await openChild(folder, part, make, join(root, ...parts.slice(0, depth + 1)));
			await folder.close();
			folder = next;
		}
		return await work(pathIn(folder));
	} finally {
		await folder.close();
	}
}

function pathIn(folder: FileHandle): PathIn {
	return name => `/proc/self/fd/${folder.fd}/${name}`;
}

async function openChild(folder: FileHandle, part: string, make: boolean, path: string): Promise<FileHandle> {
	const child = pathIn(folder)(part);
	try {
		return await open(child, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
	} catch (error) {
		if (make && isErrno(error, 'ENOENT')) {
			await makeFolder(folder, child);
			return openChild(folder, part, false, path);
		}
		// Linux says ENOTDIR of a link too, when it was asked for a folder.
		if (isErrno(error, 'ENOTDIR') && (await lstat(child)).isSymbolicLink()) throw notOurs(path, 'a symbolic link');
		throw error;
	}
}

async function makeFolder(parent: FileHandle, path: string): Promise<void> {
	try {
		await mkdir(path, 0o700);
	} catch (error) {
		if (isErrno(error, 'EEXIST')) return; // somebody else has just made it
		throw error;
	}
	await parent.sync();
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
