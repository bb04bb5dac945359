import { RouseError } from '../../../model/errors.ts';
import type { NbdExport } from '../../../nbd/server/export.ts';
import type { PrivateFile } from './private-file.ts';

/** A run of bytes of an export, and where they come from. */
export type Segment =
	| { kind: 'bytes'; bytes: Buffer }
	| { kind: 'zeroes'; sizeBytes: number }
	/** The only kind that is written. */
	| { kind: 'file'; file: PrivateFile; offsetBytes: number; sizeBytes: number }
	/** A part of a disk, which says itself what of it is zero, and waits or fails as it does. */
	| { kind: 'disk'; disk: NbdExport; offsetBytes: number; sizeBytes: number };

/** What of a range lies in one segment. */
export interface Part {
	segment: Segment;
	/** In the range. */
	at: number;
	/** In the segment. */
	from: number;
	length: number;
}

/** Segments one after the other, without a gap. Throws `input_invalid` for what is empty or beyond its disk. */
export class Segments {
	readonly all: readonly Segment[];
	readonly sizeBytes: number;
	/** Where each begins, and where the last one ends. */
	readonly #starts: number[] = [0];

	constructor(all: readonly Segment[]) {
		this.all = all;
		let end = 0;
		for (const segment of all) {
			checkSegment(segment);
			end += sizeOf(segment);
			this.#starts.push(end);
		}
		this.sizeBytes = end;
	}

	/** Number of the segment that a byte is in. */
	indexAt(offset: number): number {
		let low = 0;
		let high = this.all.length - 1;
		while (low < high) {
			const middle = (low + high + 1) >> 1;
			if (this.startOf(middle) <= offset) low = middle;
			else high = middle - 1;
		}
		return low;
	}

	startOf(index: number): number {
		return this.#starts[index] ?? this.sizeBytes;
	}

	/** A range by the segments that it lies in, in order. */
	*partsOf(offset: number, length: number): Generator<Part> {
		const end = offset + length;
		let index = this.indexAt(offset);
		for (let position = offset; position < end; index += 1) {
			const segment = this.all[index];
			if (segment === undefined) return;
			const stop = Math.min(end, this.startOf(index + 1));
			yield { segment, at: position - offset, from: position - this.startOf(index), length: stop - position };
			position = stop;
		}
	}
}

function sizeOf(segment: Segment): number {
	return segment.kind === 'bytes' ? segment.bytes.length : segment.sizeBytes;
}

function checkSegment(segment: Segment): void {
	const sizeBytes = sizeOf(segment);
	if (!Number.isSafeInteger(sizeBytes) || sizeBytes <= 0)
		throw new RouseError('input_invalid', `a segment of ${sizeBytes} bytes in a layout`);
	if (segment.kind === 'bytes' || segment.kind === 'zeroes') return;
	const { offsetBytes } = segment;
	if (!Number.isSafeInteger(offsetBytes) || offsetBytes < 0)
		throw new RouseError('input_invalid', `a segment that begins at ${offsetBytes} of its ${segment.kind}`);
	if (segment.kind === 'disk' && offsetBytes + sizeBytes > segment.disk.sizeBytes)
		throw new RouseError(
			'input_invalid',
			`a segment of ${sizeBytes} bytes at ${offsetBytes} of ${segment.disk.name}, which has ${segment.disk.sizeBytes}`,
		);
}
