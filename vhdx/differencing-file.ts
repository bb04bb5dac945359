import { RouseError } from '../model/errors.ts';
import { exactBytes } from '../model/format-bytes.ts';
import { bitmapBlockBytes, bitmapStates, blockStates } from './constants.ts';
import { blockPieces, type FileLayout, openingPieces, type Piece, type TableEntry } from './file-layout.ts';
import {
	blockCount,
	blocksOfChunk,
	entryOfBitmap,
	entryOfBlock,
	type Geometry,
	tableRegionBytes,
	usableGeometry,
} from './geometry.ts';
import { tableAtBytes } from './header-section.ts';
import type { NewDisk } from './identity-header.ts';
import { locatorItem, type ParentLocator } from './parent-locator.ts';

/** What a child says of a block; all others are the parent's. */
export interface ChildBlock {
	readonly block: number;
	/** `sectors`: one bit a logical sector, the lowest first; 1 is the child's, 0 the parent's ([MS-VHDX] 2.4.2). */
	readonly content: 'whole' | 'zeros' | { readonly sectors: Uint8Array };
}

export interface ChildDisk extends NewDisk {
	readonly parent: ParentLocator;
	/** In ascending order; none for a new child. */
	readonly blocks?: readonly ChildBlock[];
}

/** Hyper-V's own choice for children, whatever blocks the parent has. */
const usualChildBlockBytes = 2 * 2 ** 20;

/**
 * A file that holds what differs from its parent. Of a block with `sectors` the whole is written: what the disk's content is
 * in the parent's sectors does not matter. Throws `input_invalid`.
 */
export function differencingFile({ ids, parent, blocks = [], ...disk }: ChildDisk): FileLayout {
	const geometry = usableGeometry({ ...disk, blockBytes: disk.blockBytes ?? usualChildBlockBytes });
	checkBlocks(geometry, blocks);
	const locator = locatorItem(parent);
	const firstAtBytes = tableAtBytes + tableRegionBytes(geometry, true);
	const parts = [...partsOf(geometry, blocks, firstAtBytes)];
	const last = parts.at(-1);
	// A chunk's bitmap lies before its blocks, while its entry follows theirs.
	const entries = parts.map((part): TableEntry => part.entry).toSorted(([one], [other]) => one - other);
	function* pieces(): Generator<Piece> {
		yield* openingPieces({ geometry, type: 'differencing', ids, entries, locator });
		for (const part of parts) {
			if (part.bitmapOf !== undefined) yield { kind: 'bytes', bytes: bitmap(geometry, part.bitmapOf) };
			else if (part.lengthBytes > 0) yield* blockPieces(geometry, part.block);
		}
	}
	const fileSizeBytes = last === undefined ? firstAtBytes : last.atBytes + last.lengthBytes;
	return { fileSizeBytes, blockBytes: geometry.blockBytes, pieces };
}

interface Part {
	entry: TableEntry;
	atBytes: number;
	lengthBytes: number;
	block: number;
	/** Of a sector bitmap block: the blocks it tells of. */
	bitmapOf?: readonly ChildBlock[];
}

function* partsOf(geometry: Geometry, blocks: readonly ChildBlock[], firstAtBytes: number): Generator<Part> {
	const ofChunk = blocksOfChunk(geometry);
	let atBytes = firstAtBytes;
	for (const [chunk, bitmapOf] of Map.groupBy(blocks, ({ block }) => Math.floor(block / ofChunk))) {
		if (bitmapOf.some(({ content }) => typeof content === 'object')) {
			const entry = [entryOfBitmap(geometry, chunk), atBytes + bitmapStates.present] as const;
			yield { entry, atBytes, lengthBytes: bitmapBlockBytes, block: -1, bitmapOf };
			atBytes += bitmapBlockBytes;
		}
		for (const { block, content } of bitmapOf) {
			const index = entryOfBlock(geometry, block);
			if (content === 'zeros') {
				yield { entry: [index, blockStates.zero], atBytes, lengthBytes: 0, block };
				continue;
			}
			const state = content === 'whole' ? blockStates.fullyPresent : blockStates.partiallyPresent;
			yield { entry: [index, atBytes + state], atBytes, lengthBytes: geometry.blockBytes, block };
			atBytes += geometry.blockBytes;
		}
	}
}

function bitmap(geometry: Geometry, blocks: readonly ChildBlock[]): Uint8Array {
	const bytes = new Uint8Array(bitmapBlockBytes);
	const ofBlock = bitmapBytes(geometry);
	for (const { block, content } of blocks) {
		const at = (block % blocksOfChunk(geometry)) * ofBlock;
		if (typeof content === 'object') bytes.set(content.sectors, at);
		else bytes.fill(0xff, at, at + ofBlock);
	}
	return bytes;
}

function bitmapBytes({ blockBytes, logicalSectorBytes }: Geometry): number {
	return blockBytes / logicalSectorBytes / 8;
}

function checkBlocks(geometry: Geometry, blocks: readonly ChildBlock[]): void {
	let least = 0;
	for (const { block, content } of blocks) {
		if (!Number.isSafeInteger(block) || block < least || block >= blockCount(geometry))
			throw new RouseError('input_invalid', `block ${block} of a VHDX is behind its end or out of order`);
		least = block + 1;
		if (typeof content === 'object' && content.sectors.length !== bitmapBytes(geometry))
			throw new RouseError(
				'input_invalid',
				`the sectors of block ${block} have ${exactBytes(content.sectors.length)} of bits instead of ${bitmapBytes(geometry)}`,
			);
	}
}
