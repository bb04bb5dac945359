import type { Run } from '../file-node.ts';
import { unreadable, type Volume } from '../volume.ts';
import type { Inode } from './inode.ts';
import { blockAtBytes, type XfsGeometry } from './super-block.ts';

/** XFS Algorithms & Data Structures, "Data Extents". */
const recordBytes = 16;
const deepest = 8;
/** More blocks of a tree than a file of some hundred MiB needs, however torn. */
const mostTreeBlocks = 20_000;

/** Where a file's bytes lie, in order. */
export async function* runsOf(volume: Volume, geometry: XfsGeometry, inode: Inode): AsyncGenerator<Run> {
	const { fork, format, extents } = inode;
	if (format === 'extents') yield* records(geometry, fork, 0, extents);
	else if (format === 'tree') yield* new TreeReader(volume, geometry).root(fork);
}

function* records(geometry: XfsGeometry, bytes: Buffer, startBytes: number, count: number): Generator<Run> {
	if (startBytes + count * recordBytes > bytes.length)
		throw unreadable('a file of XFS has more extents than have room');
	for (let at = startBytes; at < startBytes + count * recordBytes; at += recordBytes) {
		const high = bytes.readBigUInt64BE(at);
		const low = bytes.readBigUInt64BE(at + 8);
		const unwritten = high >> 63n === 1n;
		const fileBlock = Number((high & 0x7fff_ffff_ffff_ffffn) >> 9n);
		const block = Number(((high & 0x1ffn) << 43n) | (low >> 21n));
		const blocks = Number(low & 0x1f_ffffn);
		if (blocks === 0) throw unreadable('a file of XFS has an empty extent');
		yield {
			fileAtBytes: fileBlock * geometry.blockBytes,
			volumeAtBytes: unwritten ? null : blockAtBytes(geometry, block),
			lengthBytes: blocks * geometry.blockBytes,
		};
	}
}

class TreeReader {
	readonly #volume: Volume;
	readonly #geometry: XfsGeometry;
	#read = 0;

	constructor(volume: Volume, geometry: XfsGeometry) {
		this.#volume = volume;
		this.#geometry = geometry;
	}

	/** In the inode: level and count, and of as many as have room first all keys, then all pointers. */
	async *root(fork: Buffer): AsyncGenerator<Run> {
		if (fork.length < 4) throw unreadable('a tree of XFS is damaged');
		const level = fork.readUInt16BE(0);
		if (level < 1 || level > deepest) throw unreadable('a tree of XFS is damaged');
		yield* this.#children(fork, 4, fork.readUInt16BE(2), level);
	}

	/** `level` is what the node above demands; it sinks with each, so that no tree leads back into itself. */
	async *#node(block: number, level: number): AsyncGenerator<Run> {
		const { isV5, blockBytes } = this.#geometry;
		if (++this.#read > mostTreeBlocks) throw unreadable('the tree of a file of XFS is larger than a file needs');
		const bytes = await this.#volume.read(blockAtBytes(this.#geometry, block), blockBytes);
		if (bytes.toString('latin1', 0, 4) !== (isV5 ? 'BMA3' : 'BMAP') || bytes.readUInt16BE(4) !== level)
			throw unreadable('a tree of XFS is damaged');
		const headerBytes = isV5 ? 72 : 24;
		const count = bytes.readUInt16BE(6);
		if (level === 0) yield* records(this.#geometry, bytes, headerBytes, count);
		else yield* this.#children(bytes, headerBytes, count, level);
	}

	async *#children(bytes: Buffer, headerBytes: number, count: number, level: number): AsyncGenerator<Run> {
		const room = Math.floor((bytes.length - headerBytes) / 16);
		if (count > room) throw unreadable('a tree of XFS is damaged');
		const pointers = headerBytes + room * 8;
		for (let index = 0; index < count; index++)
			yield* this.#node(Number(bytes.readBigUInt64BE(pointers + index * 8)), level - 1);
	}
}
