import { RouseError } from '../model/errors.ts';
import { exactBytes } from '../model/format-bytes.ts';
import { blockStates, mebibyte } from './constants.ts';
import { type Opening, openingPieces, type TableEntry } from './file-layout.ts';
import {
	blockCount,
	entryOfBlock,
	type Geometry,
	tableRegionBytes,
	usableGeometry,
	usualBlockBytes,
} from './geometry.ts';
import { type FileIds, tableAtBytes } from './header-section.ts';

export interface NewDisk extends Omit<Geometry, 'blockBytes'> {
	/** {@link usualBlockBytes} when absent. */
	readonly blockBytes?: number;
	readonly ids: FileIds;
}

export interface IdentityDisk extends NewDisk {
	/** Blocks known to be zeros, which then need not be read. With it the file is a dynamic one, without it a fixed one. */
	readonly isZero?: (block: number) => boolean;
}

export interface IdentityHeader {
	/** The file's first bytes: 4 MiB up to some 4 TiB, at most 6 MiB unless blocks were chosen smaller. */
	readonly header: Uint8Array;
	/** Where the disk begins, in its own order without a gap: its byte `n` is the file's byte `payloadOffsetBytes + n`. */
	readonly payloadOffsetBytes: number;
	/** With the last block whole: behind the disk's end it is padded with zeros. */
	readonly fileSizeBytes: number;
	readonly blockBytes: number;
}

/** A BAT beyond it is no blob to hold in memory. 64 TiB in blocks of 32 MiB have 17 MiB. */
const largestTableBytes = 32 * mebibyte;

/**
 * What makes a VHDX of a disk whose bytes follow it: header, metadata and a BAT that maps each block to its own place
 * ([MS-VHDX] 2.5). Throws `input_invalid` for measures that the format does not allow.
 */
export function identityHeader(disk: IdentityDisk): IdentityHeader {
	const { opening, payloadOffsetBytes, fileSizeBytes } = identity(disk);
	const { blockBytes } = opening.geometry;
	const tableBytes = payloadOffsetBytes - tableAtBytes;
	if (tableBytes > largestTableBytes)
		throw new RouseError(
			'input_invalid',
			`blocks of ${exactBytes(blockBytes)} make a table of ${exactBytes(tableBytes)}`,
			{
				hint: `choose blocks of ${exactBytes(usualBlockBytes(disk.sizeBytes, disk.logicalSectorBytes))}`,
			},
		);
	const header = new Uint8Array(payloadOffsetBytes);
	let at = 0;
	for (const piece of openingPieces(opening)) {
		if (piece.kind === 'bytes') header.set(piece.bytes, at);
		at += piece.kind === 'bytes' ? piece.bytes.length : piece.lengthBytes;
	}
	return { header, payloadOffsetBytes, fileSizeBytes, blockBytes };
}

/** The size of the file alone. Throws as `identityHeader` does. */
export function identityFileBytes(disk: Omit<NewDisk, 'ids'>): number {
	return measures(usableGeometry(disk)).fileSizeBytes;
}

function measures(geometry: Geometry): { blocks: number; payloadOffsetBytes: number; fileSizeBytes: number } {
	const blocks = blockCount(geometry);
	const payloadOffsetBytes = tableAtBytes + tableRegionBytes(geometry, false);
	return { blocks, payloadOffsetBytes, fileSizeBytes: payloadOffsetBytes + blocks * geometry.blockBytes };
}

/** For who writes the blocks as well (fixed-file.ts). */
export function identity({ ids, isZero, ...disk }: IdentityDisk): {
	opening: Opening;
	payloadOffsetBytes: number;
	fileSizeBytes: number;
} {
	const geometry = usableGeometry(disk);
	const { blocks, payloadOffsetBytes, fileSizeBytes } = measures(geometry);
	const entries: Iterable<TableEntry> = {
		*[Symbol.iterator]() {
			for (let block = 0; block < blocks; block++) {
				const place = payloadOffsetBytes + block * geometry.blockBytes;
				const value = isZero?.(block) ? blockStates.zero : place + blockStates.fullyPresent;
				yield [entryOfBlock(geometry, block), value];
			}
		},
	};
	const opening: Opening = { geometry, type: isZero ? 'dynamic' : 'fixed', ids, entries };
	return { opening, payloadOffsetBytes, fileSizeBytes };
}
