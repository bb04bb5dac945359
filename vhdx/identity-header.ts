import { RouseError } from '../model/errors.ts';
import { blockStates, mebibyte } from './constants.ts';
import {
	blockCount,
	blocksOfChunk,
	type Geometry,
	geometryProblem,
	tableRegionBytes,
	usualBlockBytes,
} from './geometry.ts';
import { type FileIds, headerSection, metadataExtent, tableAtBytes } from './header-section.ts';
import { metadataRegion } from './metadata-region.ts';

export interface IdentityDisk extends Omit<Geometry, 'blockBytes'> {
	/** As {@link usualBlockBytes} has it when absent. */
	readonly blockBytes?: number;
	readonly ids: FileIds;
	/** Blocks known to be zeros, which then need not be read. With it the file is a dynamic one, without it a fixed one. */
	readonly isZero?: (block: number) => boolean;
}

export interface IdentityHeader {
	/** The file's first bytes: 4 MiB up to some 4 TiB, at most 6 MiB unless blocks were chosen smaller. */
	readonly header: Uint8Array;
	/** Where the disk begins, in its own order without a gap: its byte `n` is the file's byte `payloadOffsetBytes + n`. */
	readonly payloadOffsetBytes: number;
	/** With the last block whole: behind the disk's end it is padded, with what is best zeros. */
	readonly fileSizeBytes: number;
	readonly blockBytes: number;
}

/** A BAT beyond it is no blob to hold in memory. 64 TiB in blocks of 32 MiB have 17 MiB. */
const largestTableBytes = 32 * mebibyte;

/**
 * What makes a VHDX of a disk whose bytes follow it: header, metadata and a BAT that maps each block to its own place
 * ([MS-VHDX] 2.5). Throws `input_invalid` for measures that the format does not allow.
 */
export function identityHeader({ ids, isZero, ...disk }: IdentityDisk): IdentityHeader {
	const blockBytes = disk.blockBytes ?? usualBlockBytes(disk.sizeBytes, disk.logicalSectorBytes);
	const geometry: Geometry = { ...disk, blockBytes };
	const problem = geometryProblem(geometry);
	if (problem !== undefined) throw new RouseError('input_invalid', `no VHDX can be made: ${problem}`);
	const tableBytes = tableRegionBytes(geometry, false);
	if (tableBytes > largestTableBytes)
		throw new RouseError('input_invalid', `blocks of ${blockBytes} bytes make a table of ${tableBytes} bytes`, {
			hint: `choose blocks of ${usualBlockBytes(disk.sizeBytes, disk.logicalSectorBytes)} bytes`,
		});
	const payloadOffsetBytes = tableAtBytes + tableBytes;
	const header = new Uint8Array(payloadOffsetBytes);
	header.set(headerSection(ids, tableBytes));
	header.set(metadataRegion(geometry, ids.virtualDiskId, isZero ? 'dynamic' : 'fixed'), metadataExtent.atBytes);
	const table = new DataView(header.buffer, tableAtBytes);
	const ofChunk = blocksOfChunk(geometry);
	const blocks = blockCount(geometry);
	for (let block = 0; block < blocks; block++) {
		const place = payloadOffsetBytes + block * blockBytes;
		const entry = isZero?.(block) ? blockStates.zero : place + blockStates.fullyPresent;
		table.setBigUint64((block + Math.floor(block / ofChunk)) * 8, BigInt(entry), true);
	}
	return { header, payloadOffsetBytes, fileSizeBytes: payloadOffsetBytes + blocks * blockBytes, blockBytes };
}
