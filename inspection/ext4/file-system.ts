import { contentOf, type DirectoryEntry, type FileNode, type FileSystem } from '../file-node.ts';
import { unreadable, type Volume } from '../volume.ts';
import { type Inode, inodeFlags, readInode } from './inode.ts';
import { runsOf } from './runs.ts';
import { type Ext4Geometry, readSuperBlock } from './super-block.ts';

const rootInode = 2;
/** inode(7) */
const types = new Map<number, FileNode['kind']>([
	[0x8000, 'file'],
	[0x4000, 'directory'],
	[0xa000, 'link'],
]);
/** A directory with some hundred thousand names. */
const mostDirectoryBytes = 16 * 2 ** 20;

/**
 * ext2, ext3 or ext4, as it lies there: what is in its journal alone is not seen. Undefined for a volume that has none;
 * throws `source_invalid` for one that is not known here.
 */
export async function openExt4(volume: Volume): Promise<FileSystem | undefined> {
	const geometry = await readSuperBlock(volume);
	if (geometry === undefined) return undefined;
	return { kind: 'ext4', root: () => openNode(volume, geometry, rootInode) };
}

async function openNode(volume: Volume, geometry: Ext4Geometry, number: number): Promise<FileNode> {
	const inode = await readInode(volume, geometry, number);
	const kind = types.get(inode.type) ?? 'other';
	const { sizeBytes } = inode;
	return {
		kind,
		sizeBytes,
		content: fromBytes => contentOfInode(volume, geometry, inode, fromBytes),
		async *entries() {
			if (kind !== 'directory') return;
			if (sizeBytes > mostDirectoryBytes) throw unreadable(`a directory of ext4 has ${sizeBytes} bytes`);
			yield* entriesOf(volume, geometry, inode);
		},
	};
}

async function* contentOfInode(
	volume: Volume,
	geometry: Ext4Geometry,
	inode: Inode,
	fromBytes: number,
): AsyncGenerator<Buffer> {
	const { sizeBytes, flags, block, hasBlocks, type } = inode;
	if (flags & inodeFlags.encrypted) throw unreadable('a file of ext4 is encrypted');
	if (flags & inodeFlags.inlineData)
		throw unreadable('a file of ext4 has its data in its inode, which is not read here');
	// A short link lies where else the map is.
	if (types.get(type) === 'link' && !hasBlocks && sizeBytes < block.length) yield block.subarray(fromBytes, sizeBytes);
	else yield* contentOf(volume, sizeBytes, runsOf(volume, geometry, inode), fromBytes);
}

/**
 * Every block of it from first to last: the index of a large one lies in blocks that read as empty ones
 * (https://docs.kernel.org/filesystems/ext4/dynamic.html#hash-tree-directories).
 */
async function* entriesOf(volume: Volume, geometry: Ext4Geometry, inode: Inode): AsyncGenerator<DirectoryEntry> {
	const { blockBytes } = geometry;
	if (inode.sizeBytes % blockBytes !== 0) throw unreadable('a directory of ext4 has a part of a block');
	for await (const piece of contentOfInode(volume, geometry, inode, 0))
		for (let at = 0; at < piece.length; at += blockBytes)
			for (const { number, name } of namesIn(piece.subarray(at, at + blockBytes)))
				yield { name, open: () => openNode(volume, geometry, number) };
}

/** https://docs.kernel.org/filesystems/ext4/dynamic.html#linear-classic-directories */
function* namesIn(block: Buffer): Generator<{ number: number; name: string }> {
	for (let at = 0; at + 8 <= block.length; ) {
		const stored = block.readUInt16LE(at + 4);
		// 16 bits cannot say "64 KiB": ext4_rec_len_from_disk in fs/ext4/ext4.h.
		const lengthBytes = block.length === 65_536 && (stored === 65_535 || stored === 0) ? 65_536 : stored;
		const nameBytes = block.readUInt8(at + 6);
		if (lengthBytes < 8 || lengthBytes % 4 !== 0 || at + lengthBytes > block.length || 8 + nameBytes > lengthBytes)
			throw unreadable('a directory of ext4 is damaged');
		const number = block.readUInt32LE(at);
		const name = block.toString('utf8', at + 8, at + 8 + nameBytes);
		if (number !== 0 && name !== '.' && name !== '..' && nameBytes > 0) yield { number, name };
		at += lengthBytes;
	}
}
