import { baseAllocation, NBD_STATE } from '../../../nbd/protocol/constants.ts';
import type {
	Extent,
	NbdExport,
	NbdFailure,
	NbdWriter,
	Pending,
	ReadDone,
	ReadNow,
} from '../../../nbd/server/export.ts';
import { ExtentList } from '../../../nbd/server/extent-list.ts';
import type { RefusedWrites } from '../../config.ts';
import type { StatusRange } from '../status-query.ts';
import { LayoutRead } from './layout-read.ts';
import { LayoutWriter } from './layout-writer.ts';
import { type Segment, Segments } from './segments.ts';

export interface LayoutExportOptions {
	name: string;
	/** For people who list the exports. */
	description: string;
	/** In their order, without a gap: what is nothing is declared as zeroes. */
	segments: readonly Segment[];
	/** A write outside of private files, which got EPERM. */
	onWriteRefused?: ((refused: Omit<RefusedWrites, 'count'>) => void) | undefined;
}

const metaContexts = [baseAllocation];
const nothingToCancel: Pending = { cancel() {} };

/** An export that is put together from segments. Writes reach its private files, and never a disk. */
export class LayoutExport implements NbdExport {
	readonly name: string;
	readonly description: string;
	readonly sizeBytes: number;
	readonly metaContexts = metaContexts;
	/** Absent where no segment can be written. */
	readonly writer: NbdWriter | undefined;
	readonly #segments: Segments;
	readonly #onWriteRefused: LayoutExportOptions['onWriteRefused'];

	/** Throws `input_invalid` for segments that are empty or lie beyond their disk. */
	constructor({ name, description, segments, onWriteRefused }: LayoutExportOptions) {
		this.name = name;
		this.description = description;
		this.#segments = new Segments(segments);
		this.sizeBytes = this.#segments.sizeBytes;
		this.#onWriteRefused = onWriteRefused;
		if (segments.some(({ kind }) => kind === 'file')) this.writer = new LayoutWriter(name, this.#segments);
	}

	readNow(into: Buffer, at: number, offset: number, length: number): ReadNow {
		const segments = this.#segments;
		const end = offset + length;
		let zeroes = true;
		let index = segments.indexAt(offset);
		for (let position = offset; position < end; index += 1) {
			const segment = segments.all[index];
			if (segment === undefined) return 'later';
			const stop = Math.min(end, segments.startOf(index + 1));
			const from = position - segments.startOf(index);
			const read = readSegmentNow(segment, into, at + position - offset, { from, length: stop - position });
			if (read === 'later') return 'later';
			if (read === 'data') zeroes = false;
			position = stop;
		}
		return zeroes ? 'zeroes' : 'data';
	}

	readLater(offset: number, length: number, done: ReadDone): Pending {
		const parts = [...this.#segments.partsOf(offset, length)];
		const [only] = parts;
		// What lies in one disk needs no second buffer.
		if (parts.length === 1 && only?.segment.kind === 'disk')
			return only.segment.disk.readLater(only.segment.offsetBytes + only.from, length, done);
		return new LayoutRead(this.name, length, done).start(parts);
	}

	/** Says as much as it can without asking a second disk. */
	blockStatus(
		contexts: readonly string[],
		{ offset, length, single }: StatusRange,
		done: (result: Extent[][] | NbdFailure) => void,
	): Pending {
		const list = new ExtentList(single);
		const answer = () => done(contexts.map(() => list.extents));
		for (const { segment, from, length: partLength } of this.#segments.partsOf(offset, length)) {
			if (segment.kind === 'disk')
				return segment.disk.blockStatus(
					metaContexts,
					{ offset: segment.offsetBytes + from, length: partLength, single },
					result => {
						if (Array.isArray(result))
							for (const { length: run, flags } of result[0] ?? []) if (!list.add(run, flags)) break;
						if (!Array.isArray(result) && list.extents.length === 0) done(result);
						else answer();
					},
				);
			const flags = segment.kind === 'zeroes' ? NBD_STATE.HOLE | NBD_STATE.ZERO : 0;
			if (!list.add(partLength, flags)) break;
		}
		answer();
		return nothingToCancel;
	}

	willNeed(offset: number, length: number): void {
		for (const part of this.#segments.partsOf(offset, length))
			if (part.segment.kind === 'disk') part.segment.disk.willNeed(part.segment.offsetBytes + part.from, part.length);
	}

	writeRefused(offset: number, length: number): void {
		this.#onWriteRefused?.({ export: this.name, offset, length });
	}
}

function readSegmentNow(
	segment: Segment,
	into: Buffer,
	at: number,
	{ from, length }: { from: number; length: number },
): ReadNow {
	if (segment.kind === 'disk') return segment.disk.readNow(into, at, segment.offsetBytes + from, length);
	if (segment.kind === 'file')
		return segment.file.readNow(into, at, segment.offsetBytes + from, length) ? 'data' : 'later';
	if (segment.kind === 'bytes') {
		segment.bytes.copy(into, at, from, from + length);
		return 'data';
	}
	into.fill(0, at, at + length);
	return 'zeroes';
}
