/** What an image lacks of its disk, by the disk's own offsets: found by its tables, read as zeros. */
import { RouseError } from '../model/errors.ts';
import type { SourceExtent } from '../repository/import/disk-source.ts';

export interface DiskRange {
	atBytes: number;
	lengthBytes: number;
}

/** Who is told of what is missing; in whatever order. */
export interface MissingSink {
	add(atBytes: number, lengthBytes: number): void;
}

/** A copy that broke off lacks a few of them; so many is no copy that broke off, and would fill the memory. */
const maxRanges = 2 ** 20;

export class MissingParts implements MissingSink {
	readonly #ranges: DiskRange[] = [];

	add(atBytes: number, lengthBytes: number): void {
		if (lengthBytes <= 0) return;
		const last = this.#ranges.at(-1);
		if (last && last.atBytes + last.lengthBytes === atBytes) last.lengthBytes += lengthBytes;
		else this.#ranges.push({ atBytes, lengthBytes });
		if (this.#ranges.length > maxRanges)
			throw new RouseError('source_invalid', `the image lacks more than ${maxRanges} parts of its disk`);
	}

	/** In the disk's order, none touching another, and of no more than the disk has. */
	ranges(diskBytes = Number.POSITIVE_INFINITY): DiskRange[] {
		const merged: DiskRange[] = [];
		for (const { atBytes, lengthBytes } of this.#ranges.toSorted((a, b) => a.atBytes - b.atBytes)) {
			const last = merged.at(-1);
			const lastEnd = last ? last.atBytes + last.lengthBytes : -1;
			if (last && atBytes <= lastEnd) last.lengthBytes = Math.max(lastEnd, atBytes + lengthBytes) - last.atBytes;
			else merged.push({ atBytes, lengthBytes });
		}
		return merged
			.filter(({ atBytes }) => atBytes < diskBytes)
			.map(({ atBytes, lengthBytes }) => ({ atBytes, lengthBytes: Math.min(lengthBytes, diskBytes - atBytes) }));
	}
}

/** For a part of a disk that begins there. */
export function shifted(missing: MissingSink | undefined, diskAtBytes: number): MissingSink | undefined {
	return missing && { add: (atBytes, lengthBytes) => missing.add(diskAtBytes + atBytes, lengthBytes) };
}

/** Extents in which what is missing is zero. `missing`: as {@link MissingParts.ranges} gives it. */
export async function* withoutMissing(
	extents: AsyncIterable<SourceExtent>,
	missing: readonly DiskRange[],
): AsyncGenerator<SourceExtent> {
	for await (const extent of extents)
		for (const { isMissing, ...piece } of piecesOf(
			{ atBytes: extent.offsetBytes, lengthBytes: extent.lengthBytes },
			missing,
		))
			yield {
				offsetBytes: piece.atBytes,
				lengthBytes: piece.lengthBytes,
				kind: isMissing ? 'zero' : extent.kind,
			};
}

/** A range of the disk in pieces that are there or missing, in order and without gaps. */
export function* piecesOf(
	{ atBytes, lengthBytes }: DiskRange,
	missing: readonly DiskRange[],
): Generator<DiskRange & { isMissing: boolean }> {
	const endBytes = atBytes + lengthBytes;
	let at = atBytes;
	for (let index = firstEndingBehind(missing, atBytes); at < endBytes; index++) {
		const next = missing[index];
		const startBytes = Math.min(endBytes, next?.atBytes ?? endBytes);
		if (startBytes > at) yield { atBytes: at, lengthBytes: startBytes - at, isMissing: false };
		at = Math.max(at, startBytes);
		if (next === undefined || at >= endBytes) return;
		const stopBytes = Math.min(endBytes, next.atBytes + next.lengthBytes);
		yield { atBytes: at, lengthBytes: stopBytes - at, isMissing: true };
		at = stopBytes;
	}
}

function firstEndingBehind(missing: readonly DiskRange[], atBytes: number): number {
	let [low, high] = [0, missing.length];
	while (low < high) {
		const middle = (low + high) >> 1;
		const { atBytes: start = 0, lengthBytes = 0 } = missing[middle] ?? {};
		if (start + lengthBytes > atBytes) high = middle;
		else low = middle + 1;
	}
	return low;
}
