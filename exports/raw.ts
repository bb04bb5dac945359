import type { DiskImage } from '../model/chunk.ts';
import { DiskReader } from '../repository/disk-reader.ts';
import type { VerifiedChunks } from '../repository/verified-chunks.ts';
import { writeDisk } from './disk-into-file.ts';
import { type ExportOptions, makeNewFile } from './new-file.ts';

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
	await makeNewFile(path, image.sizeBytes, async file => {
		await file.truncate(image.sizeBytes);
		const reader = new DiskReader(chunks, image, { class: 'migration' });
		const inItsPlace = (fileAtBytes: number, lengthBytes: number) => [{ fileAtBytes, lengthBytes }];
		await writeDisk(file, chunks, reader, inItsPlace, options);
	});
}
