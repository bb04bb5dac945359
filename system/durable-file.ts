import { randomBytes } from 'node:crypto';
import { link, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileError, RouseError } from '../model/errors.ts';

/** Whose a file is to be; only root can give one away. */
export interface FileOwner {
	uid: number;
	gid: number;
}

/**
 * The only way in which Rouse publishes a file: temporary name in the same directory, fsync, then the real name, then
 * fsync of the directory. After a crash the file is there whole or not at all. What all here throw: `space_short`,
 * `io_failed`, and as it came what says who is there or may do so (ENOENT, EEXIST, EACCES): callers ask for these.
 */
export async function replaceFileDurably(
	path: string,
	data: string | Uint8Array,
	mode = 0o600,
	owner?: FileOwner,
): Promise<void> {
	const temporary = await writeTemporary(path, data, mode, { owner });
	try {
		await rename(temporary, path);
	} catch (error) {
		await rm(temporary, { force: true });
		throw ofMedium(error, path);
	}
	await syncDirectory(dirname(path));
}

/**
 * Like {@link replaceFileDurably}, but the name must be free: false, and nothing written, when it is taken.
 * `link` is the exclusive create, since Node has no rename that refuses to replace. An aborted signal is looked at
 * between system calls until the file gets its name; then nothing is left, and its reason is thrown.
 */
export async function createFileDurably(
	path: string,
	data: string | Uint8Array,
	{ mode = 0o600, signal }: { mode?: number; signal?: AbortSignal | undefined } = {},
): Promise<boolean> {
	const temporary = await writeTemporary(path, data, mode, { signal });
	try {
		signal?.throwIfAborted();
		return await publishDurably(temporary, path);
	} catch (error) {
		await rm(temporary, { force: true });
		throw error;
	}
}

/**
 * Gives a file that was written and synced its real name, in the same directory and if that is free, and takes the
 * temporary name away. When the file system refuses (some have no `link`), the file keeps its temporary name: it may have
 * taken hours to write. For what is too large to be handed over as `data`: see {@link temporaryPath}.
 */
export async function publishDurably(temporary: string, path: string): Promise<boolean> {
	let published = true;
	try {
		await link(temporary, path);
	} catch (error) {
		if (!isErrno(error, 'EEXIST')) throw ofMedium(error, path);
		published = false;
	}
	await rm(temporary, { force: true });
	// Also for a name that was taken: who took it may not have come to this yet, and the caller relies on what is there.
	await syncDirectory(dirname(path));
	return published;
}

/** Removes a file, if it is there, and makes the removal durable. */
export async function removeFileDurably(path: string): Promise<void> {
	await rm(path, { force: true });
	try {
		await syncDirectory(dirname(path));
	} catch (error) {
		if (!isErrno(error, 'ENOENT')) throw error; // the directory is gone, and with it the file
	}
}

export async function syncDirectory(path: string): Promise<void> {
	const directory = await open(path, 'r');
	try {
		await directory.sync();
	} catch (error) {
		throw ofMedium(error, path);
	} finally {
		await directory.close();
	}
}

export function isErrno(error: unknown, code: string): boolean {
	return error instanceof Error && 'code' in error && error.code === code;
}

/** A file system or a quota is full. */
export function isSpaceShort(error: unknown): boolean {
	if (error instanceof RouseError) return error.code === 'space_short';
	return isErrno(error, 'ENOSPC') || isErrno(error, 'EDQUOT');
}

/** Of a full or broken medium, with the path of the file; anything else as it came. */
export function ofMedium(error: unknown, path: string): unknown {
	const medium = isSpaceShort(error) || isErrno(error, 'EIO') || isErrno(error, 'EROFS');
	return medium && !(error instanceof RouseError) && error instanceof Error ? fileError(error, path) : error;
}

/** Temporary names end so that a leftover of a crash can be told from data. */
export const temporarySuffix = '.rouse-tmp';

/** A free name beside `path` for what will be {@link publishDurably published} there. */
export function temporaryPath(path: string): string {
	return `${path}.${randomBytes(6).toString('hex')}${temporarySuffix}`;
}

async function writeTemporary(
	path: string,
	data: string | Uint8Array,
	mode: number,
	{ signal, owner }: { signal?: AbortSignal | undefined; owner?: FileOwner | undefined },
): Promise<string> {
	const temporary = temporaryPath(path);
	const file = await open(temporary, 'wx', mode).catch((error: unknown) => {
		throw ofMedium(error, path);
	});
	try {
		// The open file, not its name: in the owner's own directory that could be a link by now.
		if (owner) await file.chown(owner.uid, owner.gid);
		await file.writeFile(data, signal ? { signal } : {});
		signal?.throwIfAborted();
		await file.sync();
	} catch (error) {
		await rm(temporary, { force: true });
		signal?.throwIfAborted(); // Node throws another error than the signal's reason
		throw ofMedium(error, path);
	} finally {
		await file.close();
	}
	return temporary;
}
