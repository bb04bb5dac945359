/** A disk that is put together from parts of other things. */
import { RouseError } from '../../../model/errors.ts';

/** Where the bytes of a part come from. */
export type Origin =
	| { kind: 'zero' }
	/** At hand. */
	| { kind: 'bytes'; bytes: Buffer }
	/** On a device there. `live`: it is written to while it is read, and must turn out not to have been. */
	| { kind: 'device'; path: string; atBytes: number; live: boolean };

export interface Part {
	offsetBytes: number;
	lengthBytes: number;
	from: Origin;
}

export const zeros: Origin = { kind: 'zero' };

/**
 * The whole of something, from its first byte to its last: these parts, and between them what `between` says. Throws
 * `source_invalid` for parts that overlap, or lie outside.
 */
export function fillGaps(
	lengthBytes: number,
	parts: readonly Part[],
	between: (offsetBytes: number, lengthBytes: number) => readonly Part[],
): Part[] {
	const whole: Part[] = [];
	let end = 0;
	for (const part of parts.toSorted((one, other) => one.offsetBytes - other.offsetBytes)) {
		if (part.lengthBytes === 0) continue;
		const after = part.offsetBytes + part.lengthBytes;
		if (part.offsetBytes < end || after > lengthBytes || part.lengthBytes < 0)
			throw new RouseError(
				'source_invalid',
				`two parts of a disk lie in one place, or one outside of it: at ${part.offsetBytes}`,
			);
		if (part.offsetBytes > end) whole.push(...between(end, part.offsetBytes - end));
		whole.push(part);
		end = after;
	}
	if (end < lengthBytes) whole.push(...between(end, lengthBytes - end));
	return whole;
}

/** As parts of something that they lie in, at this offset. */
export function movedBy(parts: readonly Part[], offsetBytes: number): Part[] {
	return parts.map(part => ({ ...part, offsetBytes: part.offsetBytes + offsetBytes }));
}

/** What of the parts lies in a range, cut at its ends. The parts are in order. */
export function partsWithin(parts: readonly Part[], offsetBytes: number, lengthBytes: number): Part[] {
	const end = offsetBytes + lengthBytes;
	const found: Part[] = [];
	for (let index = firstBehind(parts, offsetBytes); index < parts.length; index++) {
		const part = parts[index];
		if (part === undefined || part.offsetBytes >= end) break;
		const from = Math.max(part.offsetBytes, offsetBytes);
		const until = Math.min(part.offsetBytes + part.lengthBytes, end);
		found.push({ offsetBytes: from, lengthBytes: until - from, from: laterIn(part, from, until) });
	}
	return found;
}

function laterIn({ offsetBytes, from }: Part, start: number, end: number): Origin {
	if (from.kind === 'zero') return from;
	if (from.kind === 'bytes')
		return { kind: 'bytes', bytes: from.bytes.subarray(start - offsetBytes, end - offsetBytes) };
	return { ...from, atBytes: from.atBytes + start - offsetBytes };
}

/** The first part that ends behind an offset. */
function firstBehind(parts: readonly Part[], offsetBytes: number): number {
	let low = 0;
	let high = parts.length;
	while (low < high) {
		const middle = (low + high) >>> 1;
		const part = parts[middle];
		if (part !== undefined && part.offsetBytes + part.lengthBytes <= offsetBytes) low = middle + 1;
		else high = middle;
	}
	return low;
}
