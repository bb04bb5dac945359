import { exactBytes } from '../../model/format-bytes.ts';
import type { SourceExtent } from '../../repository/import/disk-source.ts';
import { refused } from './refused.ts';
import { blockBytes } from './header.ts';

/** 64 MiB of memory; a disk of 64 TiB may be in pieces of 16 MiB each, and GNU tar makes one of what lies together. */
export const mostParts = 2 ** 22;
const partsInGroup = 2 ** 16;

/** Where on the disk the bytes belong that an archive has one after the other; all else of the disk is zeros. */
export class SparseMap {
	/** In groups, so that a map that grows is not copied: offset and length of each part. */
	readonly #groups: Float64Array[] = [];
	/** Parts that touch are one. */
	count = 0;
	/** As they were told, empty ones too. */
	told = 0;
	dataBytes = 0;
	/** Nothing that was told lies behind it. */
	endBytes = 0;
	#lastToldBytes = 0;

	/** In ascending order. */
	add(offsetBytes: number, lengthBytes: number): void {
		if (this.told === mostParts) throw refused(`its map has more than ${mostParts} parts`);
		if (offsetBytes < this.endBytes)
			throw refused(
				`its map has a part at ${offsetBytes} behind one that ends at ${this.endBytes}: they overlap, or lack order`,
			);
		if (!Number.isSafeInteger(offsetBytes + lengthBytes))
			throw refused(`its map has a part of ${lengthBytes} bytes at ${offsetBytes}, which is larger than any disk`);
		// GNU tar fills each part up to a whole block; all others do not. It makes such parts at the end of a file alone.
		if (lengthBytes > 0 && this.#lastToldBytes % blockBytes !== 0)
			throw refused(
				`its map has a part of ${exactBytes(this.#lastToldBytes)} before others: where these are is not certain`,
			);
		const isTogether = offsetBytes === this.endBytes && this.count > 0;
		this.told += 1;
		this.endBytes = offsetBytes + lengthBytes;
		if (lengthBytes === 0) return;
		this.#lastToldBytes = lengthBytes;
		this.dataBytes += lengthBytes;
		if (isTogether && this.endOf(this.count - 1) === offsetBytes) this.#grow(lengthBytes);
		else this.#append(offsetBytes, lengthBytes);
	}

	offsetOf(part: number): number {
		return this.#groupOf(part)[2 * (part % partsInGroup)] ?? 0;
	}

	lengthOf(part: number): number {
		return this.#groupOf(part)[2 * (part % partsInGroup) + 1] ?? 0;
	}

	endOf(part: number): number {
		return this.offsetOf(part) + this.lengthOf(part);
	}

	/** The whole disk: its parts, and zeros between them. */
	*extents(sizeBytes: number): Generator<SourceExtent> {
		let covered = 0;
		for (let part = 0; part < this.count; part++) {
			const offsetBytes = this.offsetOf(part);
			const lengthBytes = this.lengthOf(part);
			if (offsetBytes > covered) yield { offsetBytes: covered, lengthBytes: offsetBytes - covered, kind: 'zero' };
			yield { offsetBytes, lengthBytes, kind: 'data' };
			covered = offsetBytes + lengthBytes;
		}
		if (covered < sizeBytes) yield { offsetBytes: covered, lengthBytes: sizeBytes - covered, kind: 'zero' };
	}

	#append(offsetBytes: number, lengthBytes: number): void {
		const at = this.count % partsInGroup;
		if (at === 0) this.#groups.push(new Float64Array(2 * partsInGroup));
		this.count += 1;
		this.#groupOf(this.count - 1).set([offsetBytes, lengthBytes], 2 * at);
	}

	#grow(lengthBytes: number): void {
		const last = this.count - 1;
		this.#groupOf(last)[2 * (last % partsInGroup) + 1] = this.lengthOf(last) + lengthBytes;
	}

	#groupOf(part: number): Float64Array {
		const group = this.#groups[Math.floor(part / partsInGroup)];
		if (group === undefined) throw new Error(`a map of ${this.count} parts has no part ${part}`);
		return group;
	}
}
