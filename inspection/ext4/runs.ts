import type { Run } from '../file-node.ts';
import { unreadable, type Volume } from '../volume.ts';
import { type Inode, inodeFlags } from './inode.ts';
import type { Ext4Geometry } from './super-block.ts';

/** https://docs.kernel.org/filesystems/ext4/dynamic.html#extent-tree */
const extentMagic = 0xf30a;
const deepest = 5;
/** From here on the length is that of an extent that was allocated and not yet written: it reads as zeros. */
const unwritten = 32_768;
/** More blocks of a map than a file of some hundred MiB needs, however torn. */
const mostMapBlocks = 20_000;

/** Where a file's bytes lie, in order. */
export function runsOf(volume: Volume, geometry: Ext4Geometry, inode: Inode): AsyncGenerator<Run> {
	const map = new MapReader(volume, geometry, inode.sizeBytes);
	return inode.flags & inodeFlags.extents ? map.extents(inode.block, undefined) : map.blocks(inode.block);
}

class MapReader {
	readonly #volume: Volume;
	readonly #blockBytes: number;
	readonly #pointers: number;
	readonly #sizeBytes: number;
	#read = 0;

	constructor(volume: Volume, { blockBytes }: Ext4Geometry, sizeBytes: number) {
		this.#volume = volume;
		this.#blockBytes = blockBytes;
		this.#pointers = blockBytes / 4;
		this.#sizeBytes = sizeBytes;
	}

	/** `depth` is what the node above demands; it sinks with each level, so that no tree leads back into itself. */
	async *extents(node: Buffer, depth: number | undefined): AsyncGenerator<Run> {
		const entries = node.readUInt16LE(2);
		const own = node.readUInt16LE(6);
		if (node.readUInt16LE(0) !== extentMagic || own > deepest || (depth !== undefined && own !== depth))
			throw unreadable('a tree of extents of ext4 is damaged');
		if (12 + entries * 12 > node.length) throw unreadable('a tree of extents of ext4 has more entries than have room');
		for (let at = 12; at < 12 + entries * 12; at += 12) {
			if (own > 0) {
				const child = node.readUInt32LE(at + 4) + node.readUInt16LE(at + 8) * 2 ** 32;
				yield* this.extents(await this.#mapBlock(child), own - 1);
				continue;
			}
			const length = node.readUInt16LE(at + 4);
			if (length === 0) throw unreadable('a tree of extents of ext4 has an empty one');
			const written = length <= unwritten;
			const start = node.readUInt32LE(at + 8) + node.readUInt16LE(at + 6) * 2 ** 32;
			yield this.#run(node.readUInt32LE(at), written ? start : 0, written ? length : length - unwritten);
		}
	}

	/** https://docs.kernel.org/filesystems/ext4/dynamic.html#direct-indirect-block-addressing */
	async *blocks(map: Buffer): AsyncGenerator<Run> {
		let block = 0;
		for (let index = 0; index < 15 && block * this.#blockBytes < this.#sizeBytes; index++) {
			const levels = Math.max(0, index - 11);
			yield* this.#indirect(map.readUInt32LE(index * 4), levels, block);
			block += this.#pointers ** levels;
		}
	}

	async *#indirect(pointer: number, levels: number, block: number): AsyncGenerator<Run> {
		if (levels === 0 || pointer === 0) {
			if (pointer !== 0) yield this.#run(block, pointer, 1);
			return;
		}
		const bytes = await this.#mapBlock(pointer);
		const each = this.#pointers ** (levels - 1);
		for (let index = 0; index < this.#pointers; index++) {
			const at = block + index * each;
			if (at * this.#blockBytes >= this.#sizeBytes) return;
			yield* this.#indirect(bytes.readUInt32LE(index * 4), levels - 1, at);
		}
	}

	#run(block: number, start: number, blocks: number): Run {
		return {
			fileAtBytes: block * this.#blockBytes,
			volumeAtBytes: start === 0 ? null : start * this.#blockBytes,
			lengthBytes: blocks * this.#blockBytes,
		};
	}

	async #mapBlock(block: number): Promise<Buffer> {
		if (++this.#read > mostMapBlocks) throw unreadable('the map of a file of ext4 is larger than a file needs');
		return await this.#volume.read(block * this.#blockBytes, this.#blockBytes);
	}
}
