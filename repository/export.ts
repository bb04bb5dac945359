import { type FileHandle, lstat, open, rm } from 'node:fs/promises';
import type { DiskImage } from '../model/chunk.ts';
import { asRouseError, RouseError } from '../model/errors.ts';
import { formatBytes } from '../model/format-bytes.ts';
import { isErrno, isSpaceShort, publishDurably, temporaryPath } from '../system/durable-file.ts';
import { DiskReader } from './disk-reader.ts';
import { diskChunks } from './disk-chunks.ts';
import type { VerifiedChunks } from './verified-chunks.ts';

/**
 * Writes a disk of a restore point as a raw file, sparse and of the exact size. The file appears under its name when it
 * is whole and durable; the name must be free. Throws `name_conflict`, `space_short`, `io_failed`, and what reading
 * throws (`chunk_bad`, …); then nothing is left, but for a whole disk that could not get its name: the hint says where.
 */
export async function exportDisk(
	chunks: VerifiedChunks,
	image: DiskImage,
	path: string,
	options: {
		signal?: AbortSignal | undefined;
		progress?: ((progress: { doneBytes: number; totalBytes: number }) => void) | undefined;
	} = {},
): Promise<void> {
	// Looked at again in the end; here to be told before hours of writing.
	if (await isThere(path)) throw nameTaken(path);
	const temporary = temporaryPath(path);
	try {
		const file = await open(temporary, 'wx', 0o600);
		try {
			await fill(file, chunks, image, options);
			await file.sync();
		} finally {
			await file.close();
		}
	} catch (error) {
		await rm(temporary, { force: true });
		throw writeFailure(error, path, image.sizeBytes);
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

/** Whatever it is, a link that leads nowhere included. */
async function isThere(path: string): Promise<boolean> {
	try {
		await lstat(path);
		return true;
	} catch (cause) {
		if (isErrno(cause, 'ENOENT')) return false;
		throw new RouseError('io_failed', `cannot look at ${path}: ${asRouseError(cause).message}`, { cause });
	}
}

function nameTaken(path: string): RouseError {
	return new RouseError('name_conflict', `${path} exists already`, { hint: 'remove it, or choose another name' });
}

async function fill(
	file: FileHandle,
	chunks: VerifiedChunks,
	image: DiskImage,
	{ signal, progress }: NonNullable<Parameters<typeof exportDisk>[3]>,
): Promise<void> {
	const { sizeBytes, chunkSizeBytes } = image;
	await file.truncate(sizeBytes);
	const reader = new DiskReader(chunks, image, { class: 'migration' });
	const onLeaf = ({ firstIndex, count }: { firstIndex: number; count: number }) =>
		progress?.({ doneBytes: Math.min(sizeBytes, (firstIndex + count) * chunkSizeBytes), totalBytes: sizeBytes });
	for await (const { index, bytes } of diskChunks(chunks, reader, { class: 'migration', signal, onLeaf })) {
		// A file system that fills up writes a part first, and says so at the next call.
		for (let written = 0; written < bytes.length; ) {
			const at = index * chunkSizeBytes + written;
			written += (await file.write(bytes, written, bytes.length - written, at)).bytesWritten;
		}
	}
}

function writeFailure(error: unknown, path: string, sizeBytes: number): unknown {
	if (!(error instanceof Error) || !('syscall' in error)) return error;
	if (isSpaceShort(error) || isErrno(error, 'EFBIG'))
		return new RouseError('space_short', `no room for the ${formatBytes(sizeBytes)} of ${path}`, { cause: error });
	return new RouseError('io_failed', `cannot write ${path}: ${error.message}`, { cause: error });
}
