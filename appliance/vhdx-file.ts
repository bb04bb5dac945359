import { open } from 'node:fs/promises';
import { makeNewFile, writeWhole } from '../exports/new-file.ts';
import { mebibyte } from '../vhdx/constants.ts';
import { dynamicFile } from '../vhdx/dynamic-file.ts';
import type { FileLayout } from '../vhdx/file-layout.ts';
import { uuidOf } from './inputs.ts';
import { dataIn } from './sparse-copy.ts';

const blockBytes = 2 * mebibyte;

/** A raw disk as a dynamic VHDX of sectors that every Hyper-V host takes. Throws as `makeNewFile`. */
export async function writeVhdx(
	rawPath: string,
	path: string,
	inputs: string,
	signal: AbortSignal | undefined,
): Promise<void> {
	const raw = await open(rawPath, 'r');
	try {
		const { size: sizeBytes } = await raw.stat();
		const present = new Set<number>();
		for await (const { offsetBytes } of dataIn(raw, signal)) present.add(Math.floor(offsetBytes / blockBytes));
		const layout = dynamicFile({
			sizeBytes,
			blockBytes,
			logicalSectorBytes: 512,
			physicalSectorBytes: 4096,
			ids: {
				fileWriteGuid: uuidOf(inputs, 'VHDX file'),
				dataWriteGuid: uuidOf(inputs, 'VHDX data'),
				virtualDiskId: uuidOf(inputs, 'VHDX disk'),
			},
			isPresent: block => present.has(block),
		});
		await makeNewFile(path, sizeBytes, async file => {
			await file.truncate(layout.fileSizeBytes);
			for (const { atBytes, bytes } of tablesOf(layout)) await writeWhole(file, bytes, atBytes);
			const places = placesOf(layout);
			for await (const { offsetBytes, bytes } of dataIn(raw, signal)) {
				const block = Math.floor(offsetBytes / blockBytes);
				const fileAtBytes = places.get(block);
				if (fileAtBytes === undefined) throw new RangeError(`block ${block} has no place in the VHDX`);
				await writeWhole(file, bytes, fileAtBytes + (offsetBytes - block * blockBytes));
			}
		});
	} finally {
		await raw.close();
	}
}

function* tablesOf(layout: FileLayout): Generator<{ atBytes: number; bytes: Uint8Array }> {
	let atBytes = 0;
	for (const piece of layout.pieces()) {
		if (piece.kind === 'bytes') yield { atBytes, bytes: piece.bytes };
		atBytes += piece.kind === 'bytes' ? piece.bytes.length : piece.lengthBytes;
	}
}

/** Where in the file each block is. */
function placesOf(layout: FileLayout): Map<number, number> {
	const places = new Map<number, number>();
	let atBytes = 0;
	for (const piece of layout.pieces()) {
		if (piece.kind === 'disk') places.set(Math.floor(piece.atBytes / blockBytes), atBytes);
		atBytes += piece.kind === 'bytes' ? piece.bytes.length : piece.lengthBytes;
	}
	return places;
}
