import type { FileHandle } from 'node:fs/promises';
import type { DiskImage } from '../model/chunk.ts';
import { diskChunks } from '../repository/disk-chunks.ts';
import { DiskReader } from '../repository/disk-reader.ts';
import type { VerifiedChunks } from '../repository/verified-chunks.ts';
import { type ExportOptions, makeNewFile, writeWhole } from './new-file.ts';

/** What a disk holds beside zeros, in its order. */
export interface DataPiece {
	offsetBytes: number;
	bytes: Uint8Array;
}

/**
 * Writes a disk of a restore point as a raw file, sparse and of the exact size. Throws as {@link makeNewFile}, and what
 * reading throws (`chunk_bad`, …).
 */
export async function exportRaw(
	chunks: VerifiedChunks,
	image: DiskImage,
	path: string,
	options: ExportOptions = {},
): Promise<void> {
	await makeNewFile(path, image.sizeBytes, file => fill(file, chunks, image, options));
}

async function fill(file: FileHandle, chunks: VerifiedChunks, image: DiskImage, options: ExportOptions): Promise<void> {
	await file.truncate(image.sizeBytes);
	const reader = new DiskReader(chunks, image, { class: 'migration' });
	for await (const { offsetBytes, bytes } of dataOf(chunks, reader, options))
		await writeWhole(file, bytes, offsetBytes);
}

/** Each piece was compared with its digest. Throws what reading throws: what is damaged is not left out. */
export async function* dataOf(
	chunks: VerifiedChunks,
	reader: DiskReader,
	{ signal, progress }: ExportOptions,
): AsyncGenerator<DataPiece> {
	const { sizeBytes, chunkSizeBytes } = reader.image;
	const onLeaf = ({ firstIndex, count }: { firstIndex: number; count: number }) =>
		progress?.({ doneBytes: Math.min(sizeBytes, (firstIndex + count) * chunkSizeBytes), totalBytes: sizeBytes });
	for await (const { index, bytes } of diskChunks(chunks, reader, { class: 'migration', signal, onLeaf }))
		yield { offsetBytes: index * chunkSizeBytes, bytes };
}
