import { unreadable, type Volume } from '../volume.ts';

/** What of a file system's measures is needed to find its files. */
export interface Ext4Geometry {
	blockBytes: number;
	blocks: number;
	inodeBytes: number;
	inodes: number;
	inodesPerGroup: number;
	descriptorBytes: number;
	/** Block of the first group descriptor. */
	descriptorsBlock: number;
}

/** https://docs.kernel.org/filesystems/ext4/globals.html#super-block: where it is, its magic, and feature bits. */
const superBlockAtBytes = 1024;
const magic = 0xef53;
const incompatible = {
	fileType: 0x2,
	needsRecovery: 0x4,
	extents: 0x40,
	'64bit': 0x80,
	multipleMount: 0x100,
	flexibleGroups: 0x200,
	attributesInInodes: 0x400,
	checksumSeed: 0x2000,
	largeDirectories: 0x4000,
	/** A file that has its data in its inode is refused by itself, as is one that is encrypted. */
	inlineData: 0x8000,
	encryption: 0x1_0000,
	caseFolding: 0x2_0000,
} as const;
const known = Object.values(incompatible).reduce((sum, bit) => sum | bit, 0);

/** Undefined for a volume that has no ext2, ext3 or ext4; throws `source_invalid` for one that is not known here. */
export async function readSuperBlock(volume: Volume): Promise<Ext4Geometry | undefined> {
	if (volume.sizeBytes < 2 * superBlockAtBytes) return undefined;
	const bytes = await volume.read(superBlockAtBytes, 1024);
	if (bytes.readUInt16LE(0x38) !== magic) return undefined;
	const features = bytes.readUInt32LE(0x60);
	const unknown = (features & ~known) >>> 0;
	if (unknown !== 0) throw unreadable(`ext4 with features that are not known here: 0x${unknown.toString(16)}`);
	const wide = (features & incompatible['64bit']) !== 0;
	// Revision 0 has no size of inodes: it is 128.
	const inodeBytes = bytes.readUInt32LE(0x4c) === 0 ? 128 : bytes.readUInt16LE(0x58);
	const descriptorBytes = wide ? bytes.readUInt16LE(0xfe) : 32;
	const logBlock = bytes.readUInt32LE(0x18);
	const blockBytes = 1024 * 2 ** Math.min(logBlock, 7);
	const geometry: Ext4Geometry = {
		blockBytes,
		blocks: bytes.readUInt32LE(0x4) + (wide ? bytes.readUInt32LE(0x150) * 2 ** 32 : 0),
		inodeBytes,
		inodes: bytes.readUInt32LE(0),
		inodesPerGroup: bytes.readUInt32LE(0x28),
		descriptorBytes,
		// Behind the super block: with blocks of 1 KiB that is not block 0, whatever the first data block is.
		descriptorsBlock: Math.floor(superBlockAtBytes / blockBytes) + 1,
	};
	// Blocks of up to 64 KiB; inodes and descriptors are powers of two within a block.
	if (
		logBlock > 6 ||
		inodeBytes < 128 ||
		inodeBytes > blockBytes ||
		descriptorBytes < (wide ? 64 : 32) ||
		descriptorBytes > blockBytes ||
		geometry.inodesPerGroup === 0 ||
		geometry.inodesPerGroup > blockBytes * 8
	)
		throw unreadable('ext4 whose super block has impossible measures');
	return geometry;
}
