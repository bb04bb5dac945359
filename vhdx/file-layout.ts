/** A file as it is written once, from its first byte to its last, while the disk's content stays where it is. */
import { mebibyte } from './constants.ts';
import { type Geometry, tableRegionBytes } from './geometry.ts';
import { type Extent, type FileIds, headerSection, logExtent } from './header-section.ts';
import { type DiskType, metadataRegion } from './metadata-region.ts';

export type Piece =
	| { readonly kind: 'bytes'; readonly bytes: Uint8Array }
	/** Content of the disk from there on. */
	| ({ readonly kind: 'disk' } & Extent)
	| { readonly kind: 'zeros'; readonly lengthBytes: number };

export interface FileLayout {
	readonly fileSizeBytes: number;
	readonly blockBytes: number;
	/** In the order of the file, without gaps; each call begins anew. No `bytes` have more than 1 MiB. */
	pieces(): Iterable<Piece>;
}

/** An entry of the BAT: its number and its value, a place with a state in the lowest bits ([MS-VHDX] 2.5.1). */
export type TableEntry = readonly [index: number, value: number];

export interface Opening {
	readonly geometry: Geometry;
	readonly type: DiskType;
	readonly ids: FileIds;
	/** In ascending order; those left out are zero. */
	readonly entries: Iterable<TableEntry>;
	readonly locator?: Uint8Array;
}

/** All that comes before the blocks: headers, an empty log, metadata, the BAT. */
export function* openingPieces({ geometry, type, ids, entries, locator }: Opening): Generator<Piece> {
	const tableBytes = tableRegionBytes(geometry, type === 'differencing');
	yield { kind: 'bytes', bytes: headerSection(ids, tableBytes) };
	yield { kind: 'zeros', lengthBytes: logExtent.lengthBytes };
	yield { kind: 'bytes', bytes: metadataRegion(geometry, ids.virtualDiskId, type, locator) };
	yield* tablePieces(tableBytes, entries);
}

const entriesOfPiece = mebibyte / 8;

function* tablePieces(lengthBytes: number, entries: Iterable<TableEntry>): Generator<Piece> {
	const rest = entries[Symbol.iterator]();
	let next = rest.next();
	for (let first = 0; first * 8 < lengthBytes; first += entriesOfPiece) {
		const piece = new DataView(new ArrayBuffer(mebibyte));
		for (; !next.done && next.value[0] < first + entriesOfPiece; next = rest.next()) {
			const [index, value] = next.value;
			piece.setUint32((index - first) * 8, value % 2 ** 32, true);
			piece.setUint32((index - first) * 8 + 4, Math.floor(value / 2 ** 32), true);
		}
		yield { kind: 'bytes', bytes: new Uint8Array(piece.buffer) };
	}
}

/** What a block holds of the disk, and the padding that makes the disk's last block a whole one. */
export function* blockPieces({ sizeBytes, blockBytes }: Geometry, block: number): Generator<Piece> {
	const atBytes = block * blockBytes;
	const lengthBytes = Math.min(blockBytes, sizeBytes - atBytes);
	yield { kind: 'disk', atBytes, lengthBytes };
	if (lengthBytes < blockBytes) yield { kind: 'zeros', lengthBytes: blockBytes - lengthBytes };
}
