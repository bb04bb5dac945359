import { type RouseError } from '../../model/errors.ts';
import { NBD_ERROR } from '../../nbd/protocol/constants.ts';
import type { Pending, NbdFailure } from '../../nbd/server/export.ts';
import { ReadBuffers } from '../../repository/read-buffers.ts';
import { CachedChunk } from './cached-chunk.ts';
import type { Counters } from './counters.ts';
import type { Obtained } from './repository-disk.ts';
import type { RestorePointDisk } from './restore-point-disk.ts';
import type { Waiter, WaitingReads } from './waiting-reads.ts';

export interface DiskReadOptions {
	disk: RestorePointDisk;
	waiting: WaitingReads;
	counters: Counters;
	/** False: what would have to wait fails at once. */
	patient: boolean;
}

type Done = (result: Buffer | NbdFailure, free?: () => void) => void;

/** For large reads. A fresh megabyte for each would cost a collection of garbage for every few dozen of them. */
const largeBuffers = new ReadBuffers(1024 * 1024);

/** A read that could not be answered at once: collects its pieces as they come, and waits for the repository if it may. */
export class DiskRead implements Waiter, Pending {
	readonly #disk: RestorePointDisk;
	readonly #waiting: WaitingReads;
	readonly #counters: Counters;
	readonly #patient: boolean;
	readonly #offset: number;
	readonly #end: number;
	/** What the bytes lie at the beginning of. Used again only when it was given out whole: whatever is called off may still fill it. */
	readonly #room: Buffer;
	readonly #buffer: Buffer;
	readonly #done: Done;
	/** Pieces that are not in the buffer yet, and one for `start` itself. */
	#open = 1;
	#over = false;
	/** Chunks that are waited for, and how to call that off. */
	readonly #missing = new Map<number, () => void>();

	constructor({ disk, waiting, counters, patient }: DiskReadOptions, offset: number, length: number, done: Done) {
		this.#disk = disk;
		this.#waiting = waiting;
		this.#counters = counters;
		this.#patient = patient;
		this.#offset = offset;
		this.#end = Math.min(offset + length, disk.image.sizeBytes);
		this.#room = largeBuffers.take(length);
		this.#buffer = this.#room.subarray(0, length);
		this.#buffer.fill(0, Math.max(0, this.#end - offset)); // the tail beyond the exact size
		this.#done = done;
	}

	start(): this {
		const { chunkSizeBytes } = this.#disk.image;
		const first = Math.floor(this.#offset / chunkSizeBytes);
		const last = Math.ceil(this.#end / chunkSizeBytes) - 1;
		this.#disk.noteChunks(first, last);
		for (let index = first; index <= last && !this.#over; index += 1) {
			this.#open += 1;
			this.#piece(index);
		}
		if (this.#missing.size > 0 && !this.#over) {
			this.#counters.waitedReads += 1;
			this.#waiting.add(this);
			this.#disk.noteRead(first, last);
		}
		this.#pieceDone();
		return this;
	}

	cancel(): void {
		this.#over = true;
		this.#waiting.delete(this);
		for (const callOff of this.#missing.values()) callOff();
		this.#missing.clear();
	}

	fail(): void {
		this.#failWith(`${this.#disk.name}: not at hand, and told not to wait`);
	}

	lookAgain(): void {
		for (const [index, callOff] of this.#missing) {
			if (!this.#disk.isRestored(index)) continue;
			callOff();
			this.#missing.delete(index);
			this.#piece(index);
		}
	}

	#piece(index: number): void {
		const where = this.#disk.whereIs(index);
		if (where === undefined) this.#wait(index);
		else if (where === 'target') this.#readTarget(index);
		else if (where === 'zero') this.#take(index, undefined);
		else this.#take(index, where);
	}

	#wait(index: number): void {
		if (!this.#patient || this.#waiting.failing) {
			this.fail();
			return;
		}
		const callOff = this.#disk.obtain(index, (obtained: Obtained) => {
			this.#missing.delete(index);
			if (obtained === undefined) this.#piece(index);
			else this.#take(index, obtained);
		});
		this.#missing.set(index, callOff);
	}

	/** Puts a chunk's part of the read into the buffer; undefined is zeros. */
	#take(index: number, chunk: CachedChunk | RouseError | undefined): void {
		const { at, from, length } = this.#part(index);
		if (chunk === undefined) this.#buffer.fill(0, at, at + length);
		else if (chunk instanceof CachedChunk) {
			if (!this.#disk.copy(index, chunk, { into: this.#buffer, at, from, to: from + length })) {
				this.#wait(index);
				return;
			}
		} else {
			this.#failWith(`${this.#disk.name}: ${chunk.message}`);
			return;
		}
		this.#pieceDone();
	}

	#readTarget(index: number): void {
		const { at, from, length } = this.#part(index);
		const offset = index * this.#disk.image.chunkSizeBytes + from;
		this.#disk.readTarget(this.#buffer, at, { offset, length }, error => {
			if (error) this.#failWith(error.message);
			else this.#pieceDone();
		});
	}

	/** Where a chunk's part of the read is: in the buffer and in the chunk. */
	#part(index: number): { at: number; from: number; length: number } {
		const { chunkSizeBytes } = this.#disk.image;
		const begin = Math.max(this.#offset, index * chunkSizeBytes);
		const end = Math.min(this.#end, (index + 1) * chunkSizeBytes);
		return { at: begin - this.#offset, from: begin - index * chunkSizeBytes, length: end - begin };
	}

	#pieceDone(): void {
		this.#open -= 1;
		if (this.#over) return;
		if (this.#missing.size === 0) this.#waiting.delete(this);
		if (this.#open > 0) return;
		this.#over = true;
		this.#done(this.#buffer, () => largeBuffers.giveBack(this.#room));
	}

	#failWith(message: string): void {
		if (this.#over) return;
		this.cancel();
		this.#counters.failedReads += 1;
		this.#done({ errno: NBD_ERROR.EIO, message });
	}
}
