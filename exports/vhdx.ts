import type { FileHandle } from 'node:fs/promises';
import type { DiskImage } from '../model/chunk.ts';
import { freshIds } from '../movers/mount-mover/layout/vhdx-layout.ts';
import { DiskReader } from '../repository/disk-reader.ts';
import type { VerifiedChunks } from '../repository/verified-chunks.ts';
import { mebibyte } from '../vhdx/constants.ts';
import { dynamicFile } from '../vhdx/dynamic-file.ts';
import type { FileLayout } from '../vhdx/file-layout.ts';
import { baseBlockBytes, blockCount, diskBytesInVhdx, type Sectors, tableRegionBytes } from '../vhdx/geometry.ts';
import { type FilePlace, type PlacesOf, writeDisk } from './disk-into-file.ts';
import { type ExportOptions, makeNewFile, writeWhole } from './new-file.ts';

/** What a run of the disk's bytes is in the file. */
interface Place {
	diskAtBytes: number;
	lengthBytes: number;
	fileAtBytes: number;
}

/**
 * Writes a disk of a restore point as a dynamic VHDX: blocks that are zeros are not in it, and what of the others is
 * zeros takes no space. The disk in it has whole sectors. Throws as {@link makeNewFile}, what reading throws
 * (`chunk_bad`, …), and `input_invalid` when the disk is larger than a VHDX's can be (64 TiB).
 */
export async function exportVhdx(
	chunks: VerifiedChunks,
	image: DiskImage,
	path: string,
	{ sectors, ...options }: ExportOptions & { sectors: Sectors },
): Promise<void> {
	await makeNewFile(path, image.sizeBytes, async file => {
		const reader = new DiskReader(chunks, image, { class: 'migration' });
		const layout = await layoutOf(reader, sectors, options.signal);
		await file.truncate(layout.fileSizeBytes);
		const places = placesOf(file, layout);
		await writeDisk(file, chunks, reader, inOrder(places), options);
		// A disk of zeros alone has no data that would have led here.
		while (!(await places.next()).done);
	});
}

async function layoutOf(reader: DiskReader, sectors: Sectors, signal: AbortSignal | undefined): Promise<FileLayout> {
	const { logicalSectorBytes, physicalSectorBytes } = sectors;
	const sizeBytes = diskBytesInVhdx(reader.image.sizeBytes, sectors);
	const blockBytes = blockBytesFor(sizeBytes, logicalSectorBytes);
	const present = new Uint8Array(blockCount({ sizeBytes, blockBytes }));
	for await (const { offsetBytes, lengthBytes, zero } of reader.extents({ signal }))
		if (!zero)
			present.fill(1, Math.floor(offsetBytes / blockBytes), Math.ceil((offsetBytes + lengthBytes) / blockBytes));
	const isPresent = (block: number) => present[block] === 1;
	return dynamicFile({ sizeBytes, blockBytes, logicalSectorBytes, physicalSectorBytes, ids: freshIds(), isPresent });
}

/** Small blocks leave more zeros out, and are more entries of the table: 4 MiB of it for 1 TiB, 17 MiB for 64 TiB. */
function blockBytesFor(sizeBytes: number, logicalSectorBytes: 512 | 4096): number {
	let blockBytes = 2 * mebibyte;
	const tableBytes = () => tableRegionBytes({ sizeBytes, blockBytes, logicalSectorBytes }, false);
	while (blockBytes < baseBlockBytes && tableBytes() > 4 * mebibyte) blockBytes *= 2;
	return blockBytes;
}

/** Where runs of the disk are that are asked for in its order. */
function inOrder(places: AsyncGenerator<Place, undefined>): PlacesOf {
	let place: Place | undefined;
	return async (offsetBytes, lengthBytes) => {
		const found: FilePlace[] = [];
		for (let done = 0; done < lengthBytes; ) {
			const at = offsetBytes + done;
			while (!place || place.diskAtBytes + place.lengthBytes <= at) {
				place = (await places.next()).value;
				if (!place) throw new RangeError(`no block of the VHDX has byte ${at} of the disk`);
			}
			const length = Math.min(lengthBytes - done, place.diskAtBytes + place.lengthBytes - at);
			found.push({ fileAtBytes: place.fileAtBytes + at - place.diskAtBytes, lengthBytes: length });
			done += length;
		}
		return found;
	};
}

/** Where the blocks are, in order. Writes on the way what comes between them. */
async function* placesOf(file: FileHandle, layout: FileLayout): AsyncGenerator<Place, undefined> {
	let fileAtBytes = 0;
	for (const piece of layout.pieces()) {
		if (piece.kind === 'bytes') {
			await writeWhole(file, piece.bytes, fileAtBytes);
			fileAtBytes += piece.bytes.length;
			continue;
		}
		if (piece.kind === 'disk') yield { diskAtBytes: piece.atBytes, lengthBytes: piece.lengthBytes, fileAtBytes };
		fileAtBytes += piece.lengthBytes;
	}
}
