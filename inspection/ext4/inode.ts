import { unreadable, type Volume } from '../volume.ts';
import type { Ext4Geometry } from './super-block.ts';

export interface Inode {
	/** The type's bits: inode(7), `S_IFMT`. */
	type: number;
	sizeBytes: number;
	flags: number;
	/** `i_block`: block map, extent tree, or the target of a short link. */
	block: Buffer;
	/** Whether blocks belong to it: a link without any has its target in itself. */
	hasBlocks: boolean;
}

export const inodeFlags = { encrypted: 0x800, extents: 0x8_0000, inlineData: 0x1000_0000 } as const;

/** https://docs.kernel.org/filesystems/ext4/dynamic.html#index-nodes */
export async function readInode(volume: Volume, geometry: Ext4Geometry, number: number): Promise<Inode> {
	const { blockBytes, inodeBytes, inodes, inodesPerGroup, descriptorBytes, descriptorsBlock } = geometry;
	if (number < 1 || number > inodes) throw unreadable(`ext4 has no inode ${number}`);
	const group = Math.floor((number - 1) / inodesPerGroup);
	const within = (number - 1) % inodesPerGroup;
	const descriptor = await volume.read(descriptorsBlock * blockBytes + group * descriptorBytes, descriptorBytes);
	const high = descriptorBytes >= 64 ? descriptor.readUInt32LE(0x28) : 0;
	const table = descriptor.readUInt32LE(0x8) + high * 2 ** 32;
	const bytes = await volume.read(table * blockBytes + within * inodeBytes, 128);
	const mode = bytes.readUInt16LE(0);
	const flags = bytes.readUInt32LE(0x20);
	// Links without blocks may have one for their attributes: i_file_acl, in 512-byte sectors of i_blocks.
	const attributeSectors = bytes.readUInt32LE(0x68) === 0 ? 0 : blockBytes / 512;
	return {
		type: mode & 0xf000,
		sizeBytes: bytes.readUInt32LE(0x4) + bytes.readUInt32LE(0x6c) * 2 ** 32,
		flags,
		block: Buffer.from(bytes.subarray(0x28, 0x28 + 60)),
		hasBlocks: bytes.readUInt32LE(0x1c) > attributeSectors,
	};
}
