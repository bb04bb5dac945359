import { unreadable, type Volume } from '../volume.ts';

/** What of a file system's measures is needed to find its files; log2 of sizes where numbers are cut by bits. */
export interface XfsGeometry {
	blockBytes: number;
	/** Blocks of an allocation group, of which the last may have fewer. */
	groupBlocks: number;
	groups: number;
	groupBlocksLog: number;
	inodeBytes: number;
	inodesPerBlockLog: number;
	rootInode: number;
	directoryBlockBytes: number;
	/** Version 5, with checksums: blocks have larger headers. */
	isV5: boolean;
	/** Whether entries of directories have the type of what they name. */
	hasTypes: boolean;
}

/**
 * XFS Algorithms & Data Structures, 3rd edition (https://mirrors.edge.kernel.org/pub/linux/utils/fs/xfs/docs/), "Superblocks";
 * fs/xfs/libxfs/xfs_format.h of Linux for the newer bits.
 */
const directoriesV2 = 0x2000;
const typesOfV4 = 0x200;
const incompatible = {
	types: 0x1,
	sparseInodes: 0x2,
	metaUuid: 0x4,
	bigTime: 0x8,
	largeExtentCounts: 0x20,
	exchangeRange: 0x40,
	parentPointers: 0x80,
} as const;
const known = Object.values(incompatible).reduce((sum, bit) => sum | bit, 0);

/** Undefined for a volume that has no XFS; throws `source_invalid` for one that is not known here. */
export async function readSuperBlock(volume: Volume): Promise<XfsGeometry | undefined> {
	if (volume.sizeBytes < 512) return undefined;
	const bytes = await volume.read(0, 512);
	if (bytes.toString('latin1', 0, 4) !== 'XFSB') return undefined;
	const version = bytes.readUInt16BE(100);
	const isV5 = (version & 0xf) === 5;
	if (!isV5 && ((version & 0xf) !== 4 || (version & directoriesV2) === 0))
		throw unreadable(`XFS of a version that is not known here: 0x${version.toString(16)}`);
	const unknown = isV5 ? (bytes.readUInt32BE(216) & ~known) >>> 0 : 0;
	if (unknown !== 0) throw unreadable(`XFS with features that are not known here: 0x${unknown.toString(16)}`);
	const blockLog = bytes.readUInt8(120);
	const inodeLog = bytes.readUInt8(122);
	const directoryLog = blockLog + bytes.readUInt8(192);
	const geometry: XfsGeometry = {
		blockBytes: bytes.readUInt32BE(4),
		groupBlocks: bytes.readUInt32BE(84),
		groups: bytes.readUInt32BE(88),
		groupBlocksLog: bytes.readUInt8(124),
		inodeBytes: bytes.readUInt16BE(104),
		inodesPerBlockLog: bytes.readUInt8(123),
		rootInode: Number(bytes.readBigUInt64BE(56)),
		directoryBlockBytes: 2 ** Math.min(directoryLog, 32),
		isV5,
		hasTypes: isV5 ? (bytes.readUInt32BE(216) & incompatible.types) !== 0 : (bytes.readUInt32BE(200) & typesOfV4) !== 0,
	};
	// Blocks of 512 bytes to 64 KiB, inodes of 256 bytes to 2 KiB, blocks of directories of up to 64 KiB.
	if (
		blockLog < 9 ||
		blockLog > 16 ||
		geometry.blockBytes !== 2 ** blockLog ||
		inodeLog < 8 ||
		inodeLog > 11 ||
		geometry.inodeBytes !== 2 ** inodeLog ||
		geometry.inodesPerBlockLog !== blockLog - inodeLog ||
		geometry.groupBlocksLog > 31 ||
		geometry.groupBlocks > 2 ** geometry.groupBlocksLog ||
		directoryLog > 16
	)
		throw unreadable('XFS whose super block has impossible measures');
	return geometry;
}

/** Where a block lies, by its number: that of its group, and in the low bits the one within. */
export function blockAtBytes(geometry: XfsGeometry, block: number): number {
	const { groupBlocksLog, groupBlocks, groups, blockBytes } = geometry;
	const group = Math.floor(block / 2 ** groupBlocksLog);
	const within = block % 2 ** groupBlocksLog;
	if (group >= groups || within >= groupBlocks) throw unreadable(`XFS has no block ${block}`);
	return (group * groupBlocks + within) * blockBytes;
}
