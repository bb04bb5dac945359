import { contentOf, type DirectoryEntry, type FileNode, type FileSystem } from '../file-node.ts';
import { unreadable, type Volume } from '../volume.ts';
import { namesInBlock, namesInInode } from './directory.ts';
import { type Inode, readInode } from './inode.ts';
import { runsOf } from './runs.ts';
import { readSuperBlock, type XfsGeometry } from './super-block.ts';

/** inode(7) */
const types = new Map<number, FileNode['kind']>([
	[0x8000, 'file'],
	[0x4000, 'directory'],
	[0xa000, 'link'],
]);
/** A directory with some hundred thousand names. */
const mostDirectoryBytes = 16 * 2 ** 20;

/**
 * XFS as it lies there: what is in its log alone is not seen. Undefined for a volume that has none; throws `source_invalid`
 * for one that is not known here.
 */
export async function openXfs(volume: Volume): Promise<FileSystem | undefined> {
	const geometry = await readSuperBlock(volume);
	if (geometry === undefined) return undefined;
	return { kind: 'xfs', root: () => openNode(volume, geometry, geometry.rootInode) };
}

async function openNode(volume: Volume, geometry: XfsGeometry, number: number): Promise<FileNode> {
	const inode = await readInode(volume, geometry, number);
	const kind = types.get(inode.type) ?? 'other';
	return {
		kind,
		sizeBytes: inode.sizeBytes,
		content: fromBytes =>
			kind === 'link' ? linkOf(volume, geometry, inode) : contentOfInode(volume, geometry, inode, fromBytes),
		async *entries() {
			if (kind === 'directory') yield* entriesOf(volume, geometry, inode);
		},
	};
}

async function* contentOfInode(
	volume: Volume,
	geometry: XfsGeometry,
	inode: Inode,
	fromBytes: number,
): AsyncGenerator<Buffer> {
	if (inode.format === 'local')
		throw unreadable('a file of XFS lies in its inode, which only links and directories do');
	yield* contentOf(volume, inode.sizeBytes, runsOf(volume, geometry, inode), fromBytes);
}

/** "Symbolic Links": in the inode, or in a block, which in version 5 begins with a header of 56 bytes. */
async function* linkOf(volume: Volume, geometry: XfsGeometry, inode: Inode): AsyncGenerator<Buffer> {
	const { format, fork, sizeBytes } = inode;
	if (format === 'local') {
		if (sizeBytes > fork.length) throw unreadable('a link of XFS is damaged');
		yield fork.subarray(0, sizeBytes);
		return;
	}
	const headerBytes = geometry.isV5 ? 56 : 0;
	if (headerBytes + sizeBytes > geometry.blockBytes) throw unreadable('a link of XFS has more than a block');
	const whole = { ...inode, sizeBytes: headerBytes + sizeBytes };
	yield* contentOfInode(volume, geometry, whole, headerBytes);
}

async function* entriesOf(volume: Volume, geometry: XfsGeometry, inode: Inode): AsyncGenerator<DirectoryEntry> {
	if (inode.sizeBytes > mostDirectoryBytes) throw unreadable(`a directory of XFS has ${inode.sizeBytes} bytes`);
	for await (const { name, inode: number } of namesOf(volume, geometry, inode))
		yield { name, open: () => openNode(volume, geometry, number) };
}

/** Data blocks come first; the index lies beyond the size, from 32 GiB on. */
async function* namesOf(volume: Volume, geometry: XfsGeometry, inode: Inode) {
	if (inode.format === 'local') {
		yield* namesInInode(inode.fork, geometry);
		return;
	}
	const { directoryBlockBytes } = geometry;
	// Pieces end with extents, which a large block of a directory may span.
	let rest = Buffer.alloc(0);
	for await (const piece of contentOfInode(volume, geometry, inode, 0)) {
		rest = Buffer.concat([rest, piece]);
		const whole = rest.length - (rest.length % directoryBlockBytes);
		for (let at = 0; at < whole; at += directoryBlockBytes)
			yield* namesInBlock(rest.subarray(at, at + directoryBlockBytes), geometry);
		rest = rest.subarray(whole);
	}
}
