/** The measures of a VHDX's disk, and where in the block allocation table (BAT) an entry stands: [MS-VHDX] 2.5, 2.6.2. */
import { RouseError } from '../model/errors.ts';
import { exactBytes } from '../model/format-bytes.ts';
import {
	largestBlockBytes,
	largestDiskBytes,
	mebibyte,
	sectorSizes,
	sectorsOfBitmap,
	smallestBlockBytes,
} from './constants.ts';

export interface Geometry {
	/** Of the disk. */
	readonly sizeBytes: number;
	/** 1 to 256 MiB, a power of two. */
	readonly blockBytes: number;
	readonly logicalSectorBytes: 512 | 4096;
	readonly physicalSectorBytes: 512 | 4096;
}

export type Sectors = Pick<Geometry, 'logicalSectorBytes' | 'physicalSectorBytes'>;

/** A disk in a VHDX has whole sectors. */
export function diskBytesInVhdx(sizeBytes: number, { logicalSectorBytes }: Sectors): number {
	return Math.ceil(sizeBytes / logicalSectorBytes) * logicalSectorBytes;
}

/** What of the measures the format does not allow, in words; undefined when it allows them. */
export function geometryProblem({
	sizeBytes,
	blockBytes,
	logicalSectorBytes,
	physicalSectorBytes,
}: Record<keyof Geometry, number>): string | undefined {
	if (!isSectorSize(logicalSectorBytes)) return `its logical sectors have ${logicalSectorBytes} bytes, not 512 or 4096`;
	if (!isSectorSize(physicalSectorBytes))
		return `its physical sectors have ${physicalSectorBytes} bytes, not 512 or 4096`;
	const isPower = Number.isSafeInteger(blockBytes) && Number.isInteger(Math.log2(blockBytes));
	if (!isPower || blockBytes < smallestBlockBytes || blockBytes > largestBlockBytes)
		return `its blocks have ${exactBytes(blockBytes)}, which is no power of two from 1 MiB to 256 MiB`;
	if (!Number.isSafeInteger(sizeBytes) || sizeBytes <= 0 || sizeBytes > largestDiskBytes)
		return `its disk has ${exactBytes(sizeBytes)}, and the format has disks of up to 64 TiB`;
	if (sizeBytes % logicalSectorBytes !== 0)
		return `its disk has ${exactBytes(sizeBytes)}, which are no whole sectors of ${logicalSectorBytes} bytes`;
	return undefined;
}

/** What a new file is made with. Throws `input_invalid`. */
export function usableGeometry(wanted: Omit<Geometry, 'blockBytes'> & { blockBytes?: number }): Geometry {
	const { sizeBytes, logicalSectorBytes, physicalSectorBytes } = wanted;
	const blockBytes = wanted.blockBytes ?? usualBlockBytes(sizeBytes, logicalSectorBytes);
	const geometry = { sizeBytes, blockBytes, logicalSectorBytes, physicalSectorBytes };
	const problem = geometryProblem(geometry);
	if (problem !== undefined) throw new RouseError('input_invalid', `no VHDX can be made: ${problem}`);
	return geometry;
}

export function isSectorSize(bytes: number): bytes is 512 | 4096 {
	return sectorSizes.some(size => size === bytes);
}

export function blockCount({ sizeBytes, blockBytes }: Pick<Geometry, 'sizeBytes' | 'blockBytes'>): number {
	return Math.ceil(sizeBytes / blockBytes);
}

/** The number of blocks that share a sector bitmap block: the chunk ratio of 2.5. */
export function blocksOfChunk({
	blockBytes,
	logicalSectorBytes,
}: Pick<Geometry, 'blockBytes' | 'logicalSectorBytes'>): number {
	return (sectorsOfBitmap * logicalSectorBytes) / blockBytes;
}

/** Where in the BAT a block's entry is: after so many of sector bitmaps. */
export function entryOfBlock(geometry: Pick<Geometry, 'blockBytes' | 'logicalSectorBytes'>, block: number): number {
	return block + Math.floor(block / blocksOfChunk(geometry));
}

/** Where in the BAT the entry of a chunk's sector bitmap is: behind those of its blocks. */
export function entryOfBitmap(geometry: Pick<Geometry, 'blockBytes' | 'logicalSectorBytes'>, chunk: number): number {
	const ofChunk = blocksOfChunk(geometry);
	return chunk * (ofChunk + 1) + ofChunk;
}

/** The BAT's entries. That of a chunk's sector bitmap follows those of its blocks; only differencing disks need the last. */
export function tableEntries(geometry: Omit<Geometry, 'physicalSectorBytes'>, isDifferencing: boolean): number {
	const blocks = blockCount(geometry);
	const ofChunk = blocksOfChunk(geometry);
	if (isDifferencing) return Math.ceil(blocks / ofChunk) * (ofChunk + 1);
	return blocks + Math.floor((blocks - 1) / ofChunk);
}

/** The length of the BAT's region. */
export function tableRegionBytes(geometry: Omit<Geometry, 'physicalSectorBytes'>, isDifferencing: boolean): number {
	return Math.ceil((tableEntries(geometry, isDifferencing) * 8) / mebibyte) * mebibyte;
}

/** What Hyper-V chooses for disks without a parent. */
export const baseBlockBytes = 32 * mebibyte;

/**
 * A block size with which the BAT is small: {@link baseBlockBytes}, and more where a BAT of 1 MiB would not hold the disk. At
 * most 3 MiB of BAT, for 64 TiB.
 */
export function usualBlockBytes(sizeBytes: number, logicalSectorBytes: 512 | 4096): number {
	let blockBytes = baseBlockBytes;
	while (
		blockBytes < largestBlockBytes &&
		tableRegionBytes({ sizeBytes, blockBytes, logicalSectorBytes }, false) > mebibyte
	)
		blockBytes *= 2;
	return blockBytes;
}
