import { closeSync, fdatasyncSync, openSync } from 'node:fs';
import type { BlockJournal, DiskWrite } from './block-journal.ts';
import type { RunningDisk } from './run-state.ts';
import { readWhole, writeWhole } from './whole-io.ts';

/** A part of a read that only the mount mover can answer. */
export interface Hole {
	offsetBytes: number;
	into: Buffer;
}

/** Which layers a disk has, beside what was not flushed. */
export type Layers = Pick<RunningDisk, 'below' | 'alone'>;

const zeros = Buffer.alloc(1024 * 1024);

/** One disk of a machine: what was not flushed over the overlay over the mover or the target. Nothing here waits. */
export class DiskStack {
	readonly overlay: BlockJournal;
	readonly unflushed: BlockJournal;
	readonly targetPath: string;
	/** Where the disk begins in the target's file. */
	readonly #startBytes: number;

	constructor(overlay: BlockJournal, unflushed: BlockJournal, target: { path: string; offsetBytes: number }) {
		this.overlay = overlay;
		this.unflushed = unflushed;
		this.targetPath = target.path;
		this.#startBytes = target.offsetBytes;
	}

	/** As the running guest sees it; returns what has to be read from the mount mover. */
	read(layers: Layers, offsetBytes: number, into: Buffer): Hole[] {
		return this.#through([this.unflushed, ...(layers.alone ? [] : [this.overlay])], layers, { offsetBytes, into });
	}

	/** As it is on stable storage. */
	readFlushed(layers: Layers, offsetBytes: number, into: Buffer): Hole[] {
		return this.#through(layers.alone ? [] : [this.overlay], layers, { offsetBytes, into });
	}

	write(layers: Layers, write: DiskWrite, { flush }: { flush: boolean }): void {
		if (!flush) return this.unflushed.use('r+', journal => journal.append([write], { durable: false }));
		this.flush(layers);
		this.#put(layers, [write]);
	}

	flush(layers: Layers): void {
		const writes = this.unflushed.use('r', journal => [...journal.records(0)]);
		if (writes.length === 0) return;
		this.#put(layers, writes);
		// Who is killed before this has them in both places, and puts them there again.
		this.unflushed.reset();
	}

	/** The guest has written something, flushed or not. */
	get written(): boolean {
		return [this.overlay, this.unflushed].some(layer => layer.use('r', journal => !journal.records(0).next().done));
	}

	/** Copies what was appended to the overlay since `from` into the target, not durably. Returns up to where. */
	commit(from: number): number {
		return this.overlay.use('r', journal => {
			if (from < journal.end) this.#onTarget(fd => this.#writeAll(fd, journal.records(from)));
			return journal.end;
		});
	}

	/** The same of what was not flushed. */
	commitUnflushed(): void {
		const writes = this.unflushed.use('r', journal => [...journal.records(0)]);
		if (writes.length > 0) this.#onTarget(fd => this.#writeAll(fd, writes));
	}

	#through(journals: readonly BlockJournal[], layers: Layers, whole: Hole): Hole[] {
		let holes = [whole];
		for (const journal of journals) holes = journal.use('r', open => holes.flatMap(hole => [...rest(open, hole)]));
		if (!layers.alone && layers.below === 'mover') return holes;
		if (holes.length > 0)
			this.#onTarget(fd => {
				for (const { offsetBytes, into } of holes) readWhole(fd, this.#startBytes + offsetBytes, into);
			});
		return [];
	}

	#put({ alone }: Layers, writes: readonly DiskWrite[]): void {
		if (!alone) return this.overlay.use('r+', journal => journal.append(writes, { durable: true }));
		this.#onTarget(fd => {
			this.#writeAll(fd, writes);
			fdatasyncSync(fd);
		});
	}

	#writeAll(fd: number, writes: Iterable<DiskWrite>): void {
		for (const { offsetBytes, lengthBytes, data } of writes) {
			const start = this.#startBytes + offsetBytes;
			if (data) writeWhole(fd, data, start);
			else
				for (let done = 0; done < lengthBytes; done += zeros.length)
					writeWhole(fd, zeros.subarray(0, lengthBytes - done), start + done);
		}
	}

	#onTarget(work: (fd: number) => void): void {
		const fd = openSync(this.targetPath, 'r+');
		try {
			work(fd);
		} finally {
			closeSync(fd);
		}
	}
}

/** Fills what the journal has of a range; yields what it has not. */
function* rest(
	journal: Parameters<Parameters<BlockJournal['use']>[1]>[0],
	{ offsetBytes, into }: Hole,
): Generator<Hole> {
	for (const part of journal.parts(offsetBytes, into.length)) {
		const from = part.offsetBytes - offsetBytes;
		const here = into.subarray(from, from + part.lengthBytes);
		if (part.at === 'absent') yield { offsetBytes: part.offsetBytes, into: here };
		else if (part.at === 'zero') here.fill(0);
		else journal.read(part.at, here);
	}
}
