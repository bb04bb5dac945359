import type { RouseError } from '../../../model/errors.ts';
import { NBD_ERROR } from '../../../nbd/protocol/constants.ts';
import type { NbdFailure, NbdWriter } from '../../../nbd/server/export.ts';
import { ioFailure } from './layout-read.ts';
import type { PrivateFile } from './private-file.ts';
import type { Segments } from './segments.ts';

type Done = (failure?: NbdFailure) => void;

/** Writes to the private files of a layout, and refuses what touches anything else. */
export class LayoutWriter implements NbdWriter {
	readonly #name: string;
	readonly #segments: Segments;
	readonly #files: ReadonlySet<PrivateFile>;

	constructor(name: string, segments: Segments) {
		this.#name = name;
		this.#segments = segments;
		this.#files = new Set(segments.all.flatMap(segment => (segment.kind === 'file' ? [segment.file] : [])));
	}

	write(offset: number, bytes: Buffer, durable: boolean, done: Done): void {
		const pieces: { file: PrivateFile; bytes: Buffer; offset: number }[] = [];
		for (const { segment, at, from, length } of this.#segments.partsOf(offset, bytes.length)) {
			if (segment.kind !== 'file') {
				const message = `${this.#name}: nothing may be written at ${offset + at}`;
				done({ errno: NBD_ERROR.EPERM, message });
				return;
			}
			pieces.push({ file: segment.file, bytes: bytes.subarray(at, at + length), offset: segment.offsetBytes + from });
		}
		const files = new Set(pieces.map(({ file }) => file));
		const written = () => (durable ? this.#flush(files, done) : done());
		this.#all(
			pieces.map(piece => end => piece.file.write(piece.bytes, piece.offset, end)),
			failure => (failure ? done(failure) : written()),
		);
	}

	flush(done: Done): void {
		this.#flush(this.#files, done);
	}

	#flush(files: ReadonlySet<PrivateFile>, done: Done): void {
		this.#all(
			[...files].map(file => end => file.flush(end)),
			done,
		);
	}

	/** Calls all, and `done` when the last has ended, with the first failure. */
	#all(calls: readonly ((end: (failure?: RouseError) => void) => void)[], done: Done): void {
		let open = calls.length;
		let first: NbdFailure | undefined;
		for (const call of calls)
			call(failure => {
				if (failure) first ??= ioFailure(this.#name, failure);
				open -= 1;
				if (open === 0) done(first);
			});
	}
}
