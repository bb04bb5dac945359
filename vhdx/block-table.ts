/** The block allocation table (BAT) as it is read: [MS-VHDX] 2.5. */
import { exactBytes } from '../model/format-bytes.ts';
import { type ByteSource, bytesInside, mustLieInside, refused } from './byte-source.ts';
import { bitmapBlockBytes, bitmapStates, blockStates, mebibyte } from './constants.ts';
import { FieldReader } from './field-reader.ts';
import { blocksOfChunk, tableEntries } from './geometry.ts';
import type { Extent } from './header-section.ts';
import type { Metadata } from './parse-metadata.ts';
import type { UsedSpace } from './used-space.ts';

/** What an entry says of its block; `parent` is a differencing disk's alone. */
export type BlockEntry =
	| { readonly kind: 'zeros' }
	| { readonly kind: 'parent' }
	| { readonly kind: 'whole'; readonly atBytes: number }
	| { readonly kind: 'partial'; readonly atBytes: number };

const zeros = { kind: 'zeros' } as const;
const parents = { kind: 'parent' } as const;

/** The entry of a payload block from its two halves. Undefined when it is none that such a disk has. */
export function blockEntry(low: number, high: number, isDifferencing: boolean): BlockEntry | undefined {
	if ((low & 0xf_fff8) !== 0) return undefined;
	const atBytes = high * 2 ** 32 + ((low & 0xfff0_0000) >>> 0);
	switch (low & 7) {
		case blockStates.notPresent:
			return isDifferencing ? parents : zeros;
		// 2.5.1.1 lets their content be anything; 7-Zip and QEMU read zeros as well.
		case blockStates.undefined:
		case blockStates.zero:
		case blockStates.unmapped:
			return zeros;
		case blockStates.fullyPresent:
			return { kind: 'whole', atBytes };
		case blockStates.partiallyPresent:
			return isDifferencing ? { kind: 'partial', atBytes } : undefined;
		default:
			return undefined;
	}
}

/** Where a chunk's sector bitmap is. Null when there is none, undefined when it is no entry that such a disk has. */
export function bitmapEntry(low: number, high: number, isDifferencing: boolean): number | null | undefined {
	if ((low & 0xf_fff8) !== 0) return undefined;
	if ((low & 7) === bitmapStates.notPresent) return null;
	if ((low & 7) !== bitmapStates.present || !isDifferencing) return undefined;
	return high * 2 ** 32 + ((low & 0xfff0_0000) >>> 0);
}

export type TableProgress = (doneBytes: number, totalBytes: number) => void;

interface LookedAt extends Pick<Metadata, 'geometry' | 'type'> {
	space: UsedSpace;
	seen: TableProgress | undefined;
}

/**
 * Looks at every entry, in little memory: blocks must lie inside the file and apart from all else, and what is there in part
 * needs a sector bitmap. Throws `source_invalid`.
 */
export async function checkBlockTable(
	source: ByteSource,
	region: Extent,
	{ geometry, type, space, seen }: LookedAt,
	signal?: AbortSignal,
): Promise<void> {
	const isDifferencing = type === 'differencing';
	const count = tableEntries(geometry, isDifferencing);
	if (count * 8 > region.lengthBytes)
		throw refused(
			source,
			`its block allocation table has ${exactBytes(region.lengthBytes)}, and needs ${exactBytes(count * 8)}`,
		);
	const check = new TableCheck(source, { geometry, type }, space);
	for (let first = 0; first < count; first += mebibyte / 8) {
		signal?.throwIfAborted();
		seen?.(Math.min(first * geometry.blockBytes, geometry.sizeBytes), geometry.sizeBytes);
		const lengthBytes = Math.min(mebibyte, (count - first) * 8);
		const piece = new FieldReader(
			await bytesInside(source, 'block allocation table', region.atBytes + first * 8, lengthBytes, signal),
		);
		for (let at = 0; at < lengthBytes; at += 8) check.entry(first + at / 8, piece.u32(at), piece.u32(at + 4));
	}
}

class TableCheck {
	readonly #source: ByteSource;
	readonly #disk: Pick<Metadata, 'geometry' | 'type'>;
	readonly #space: UsedSpace;
	readonly #isDifferencing: boolean;
	readonly #perChunk: number;
	/** Of the chunk that is looked at: its bitmap's entry comes last. */
	#needsBitmap = false;

	constructor(source: ByteSource, disk: Pick<Metadata, 'geometry' | 'type'>, space: UsedSpace) {
		this.#source = source;
		this.#disk = disk;
		this.#space = space;
		this.#isDifferencing = disk.type === 'differencing';
		this.#perChunk = blocksOfChunk(disk.geometry) + 1;
	}

	/** In the table's order. */
	entry(index: number, low: number, high: number): void {
		if (index % this.#perChunk === this.#perChunk - 1) this.#bitmap(index, low, high);
		else this.#block(index, low, high);
	}

	#block(index: number, low: number, high: number): void {
		const entry = blockEntry(low, high, this.#isDifferencing);
		if (entry === undefined) throw this.#wrong(index);
		if (entry.kind === 'zeros' || entry.kind === 'parent') return;
		if (entry.kind === 'partial') this.#needsBitmap = true;
		const { sizeBytes, blockBytes } = this.#disk.geometry;
		const block = index - Math.floor(index / this.#perChunk);
		const wantedBytes = Math.min(blockBytes, sizeBytes - block * blockBytes);
		// A differencing disk's last chunk has entries behind the disk's end, too.
		if (wantedBytes > 0) this.#take(`block ${block}`, entry.atBytes, wantedBytes, blockBytes);
	}

	#bitmap(index: number, low: number, high: number): void {
		const atBytes = bitmapEntry(low, high, this.#isDifferencing);
		if (atBytes === undefined) throw this.#wrong(index);
		if (atBytes !== null) this.#take('sector bitmap', atBytes, bitmapBlockBytes, bitmapBlockBytes);
		else if (this.#needsBitmap) throw refused(this.#source, `the sector bitmap of entry ${index} is not there`);
		this.#needsBitmap = false;
	}

	/** `wantedBytes`: a file may end with the disk, within its last block. */
	#take(what: string, atBytes: number, wantedBytes: number, wholeBytes: number): void {
		mustLieInside(this.#source, what, atBytes, wantedBytes);
		if (this.#space.take(atBytes, wholeBytes)) return;
		throw refused(this.#source, `its ${what} lies at offset ${atBytes}, where something else lies`);
	}

	#wrong(index: number): Error {
		const { type } = this.#disk;
		return refused(this.#source, `entry ${index} of its block allocation table is none of a ${type} disk`);
	}
}
