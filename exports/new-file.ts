import { type FileHandle, lstat, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { asRouseError, fileError, RouseError } from '../model/errors.ts';
import { formatBytes } from '../model/format-bytes.ts';
import type { CopyThreads } from '../repository/copy/copy-threads.ts';
import { isErrno, isSpaceShort, publishDurably, temporaryPath } from '../system/durable-file.ts';

/** Told how far it is, in bytes of the disk. */
export type ExportProgress = (progress: { doneBytes: number; totalBytes: number }) => void;

export interface ExportOptions {
	signal?: AbortSignal | undefined;
	progress?: ExportProgress | undefined;
	/** For disks with more data than so much; raw and VHDX. Not closed here. */
	threads?: { threads: CopyThreads; aboveBytes: number } | undefined;
}

/**
 * A file that appears under its name when `fill` has written it and it is durable; the name must be free. `fill` gets
 * it open, and the name that it has until then. Throws `name_conflict`, `space_short`, `io_failed`, and what `fill`
 * throws; then nothing is left, but for a whole file that could not get its name: the hint says where.
 */
export async function makeNewFile(
	path: string,
	sizeBytes: number,
	fill: (file: FileHandle, temporary: string) => Promise<void>,
): Promise<void> {
	// Looked at again in the end; here to be told before hours of writing.
	if (await isThere(path)) throw nameTaken(path);
	const temporary = temporaryPath(path);
	const file = await open(temporary, 'wx', 0o600).catch((error: unknown) => {
		throw writeFailure(error, path, sizeBytes);
	});
	try {
		try {
			await fill(file, temporary);
			await file.sync();
		} finally {
			await file.close();
		}
	} catch (error) {
		await rm(temporary, { force: true });
		throw writeFailure(error, path, sizeBytes);
	}
	let published: boolean;
	try {
		published = await publishDurably(temporary, path);
	} catch (cause) {
		const left = (await isThere(temporary)) ? `the whole disk is in ${temporary}: give it its name` : undefined;
		throw new RouseError('io_failed', `cannot publish ${path}: ${asRouseError(cause).message}`, { cause, hint: left });
	}
	if (!published) throw nameTaken(path);
}

/** All of the bytes: a file system that fills up writes a part first, and says so at the next call. */
export async function writeWhole(file: FileHandle, bytes: Uint8Array, atBytes: number): Promise<void> {
	for (let written = 0; written < bytes.length; )
		written += (await file.write(bytes, written, bytes.length - written, atBytes + written)).bytesWritten;
}

/** Whatever it is, a link that leads nowhere included. */
async function isThere(path: string): Promise<boolean> {
	try {
		await lstat(path);
		return true;
	} catch (cause) {
		if (isErrno(cause, 'ENOENT')) return false;
		const { message, hint } = asRouseError(cause);
		throw new RouseError('io_failed', `cannot write ${path}: ${message}`, { cause, hint });
	}
}

function nameTaken(path: string): RouseError {
	return new RouseError('name_conflict', `${path} exists already`, { hint: 'remove it, or choose another name' });
}

function writeFailure(error: unknown, path: string, sizeBytes: number): unknown {
	if (!(error instanceof Error) || !('syscall' in error)) return error;
	if (isSpaceShort(error) || isErrno(error, 'EFBIG')) return noRoom(path, sizeBytes, error);
	const what = isErrno(error, 'ENAMETOOLONG') ? path : dirname(path);
	const { message, hint } = fileError(error, what) ?? asRouseError(error);
	return new RouseError('io_failed', `cannot write ${path}: ${message}`, { cause: error, hint });
}

export function noRoom(path: string, sizeBytes: number, cause?: unknown): RouseError {
	return new RouseError('space_short', `there is no room for the ${formatBytes(sizeBytes)} of ${path}`, {
		cause,
		hint: `make room there, or choose another place: df -h ${dirname(path)}`,
	});
}
