import { blockStates } from './constants.ts';
import { blockPieces, type FileLayout, openingPieces, type Piece, type TableEntry } from './file-layout.ts';
import { blockCount, entryOfBlock, type Geometry, tableRegionBytes, usableGeometry } from './geometry.ts';
import { tableAtBytes } from './header-section.ts';
import type { NewDisk } from './identity-header.ts';

export interface DynamicDisk extends NewDisk {
	/** Whether a block is written; what is not is read as zeros. Asked more than once for a block, and must answer alike. */
	readonly isPresent: (block: number) => boolean;
}

/** A file with the blocks that hold something, in the order of the disk. Throws `input_invalid`. */
export function dynamicFile({ ids, isPresent, ...disk }: DynamicDisk): FileLayout {
	const geometry = usableGeometry(disk);
	const { blockBytes } = geometry;
	const firstAtBytes = tableAtBytes + tableRegionBytes(geometry, false);
	let count = 0;
	for (const _ of presentBlocks(geometry, isPresent)) count++;
	function* entries(): Generator<TableEntry> {
		let place = firstAtBytes;
		for (const block of presentBlocks(geometry, isPresent)) {
			yield [entryOfBlock(geometry, block), place + blockStates.fullyPresent];
			place += blockBytes;
		}
	}
	function* pieces(): Generator<Piece> {
		yield* openingPieces({ geometry, type: 'dynamic', ids, entries: entries() });
		for (const block of presentBlocks(geometry, isPresent)) yield* blockPieces(geometry, block);
	}
	return { fileSizeBytes: firstAtBytes + count * blockBytes, blockBytes, pieces };
}

function* presentBlocks(geometry: Geometry, isPresent: (block: number) => boolean): Generator<number> {
	const blocks = blockCount(geometry);
	for (let block = 0; block < blocks; block++) if (isPresent(block)) yield block;
}
