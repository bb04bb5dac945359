import { type RouseError } from '../../model/errors.ts';
import { NBD_ERROR } from '../../nbd/protocol/constants.ts';
import type { Pending, ReadDone } from '../../nbd/server/export.ts';
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

/** For large reads of a target. A fresh megabyte for each would cost a collection of garbage for every few dozen of them. */
export const largeBuffers = new ReadBuffers(1024 * 1024);
const zeros = Buffer.alloc(128 * 1024);
/** Of chunks within one call, so that others have their turn. */
const mostDecoded = 8;

/** A read that could not be answered at once: collects its pieces as they come, where they lie, and waits for the repository if it may. */
export class DiskRead implements Waiter, Pending {
	readonly #disk: RestorePointDisk;
	readonly #waiting: WaitingReads;
	readonly #counters: Counters;
	readonly #patient: boolean;
	readonly #offset: number;
	readonly #end: number;
	/** Of each chunk. */
	readonly #parts: (readonly Buffer[])[] = [];
	/** In which parts lie. */
	readonly #kept: CachedChunk[] = [];
	/** For what comes from the target. Used again only when it was given out: whatever is called off may still fill it. */
	#room: Buffer | undefined;
	readonly #length: number;
	readonly #done: ReadDone;
	/** Pieces that are not in the buffer yet, and one for `start` itself. */
	#open = 1;
	#over = false;
	#hasWaited = false;
	/** Chunks that are waited for, and how to call that off. */
	readonly #missing = new Map<number, () => void>();

	constructor({ disk, waiting, counters, patient }: DiskReadOptions, offset: number, length: number, done: ReadDone) {
		this.#disk = disk;
		this.#waiting = waiting;
		this.#counters = counters;
		this.#patient = patient;
		this.#offset = offset;
		this.#end = Math.min(offset + length, disk.image.sizeBytes);
		this.#length = length;
		this.#done = done;
	}

	start(): this {
		const { chunkSizeBytes } = this.#disk.image;
		const first = Math.floor(this.#offset / chunkSizeBytes);
		const last = Math.ceil(this.#end / chunkSizeBytes) - 1;
		this.#disk.noteChunks(first, last);
		this.#begin(first, last);
		return this;
	}

	/** The chunks from `from` on. */
	#begin(from: number, last: number): void {
		if (this.#over) return;
		let decoded = 0;
		let index = from;
		for (; index <= last && !this.#over && decoded < mostDecoded; index += 1) {
			this.#open += 1;
			if (this.#piece(index)) decoded += 1;
		}
		if (index <= last && !this.#over) setImmediate(() => this.#begin(index, last));
		if (this.#missing.size > 0 && !this.#over) {
			if (!this.#hasWaited) this.#counters.waitedReads += 1;
			this.#hasWaited = true;
			this.#waiting.add(this);
			this.#disk.noteRead(from, index - 1);
		}
		if (index > last) this.#pieceDone();
	}

	cancel(): void {
		this.#over = true;
		this.#waiting.delete(this);
		for (const callOff of this.#missing.values()) callOff();
		this.#missing.clear();
		this.#letGo();
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

	/** Whether something was decoded for it, perhaps. */
	#piece(index: number): boolean {
		const where = this.#disk.whereIs(index);
		if (where === undefined) this.#wait(index);
		else if (where === 'target') this.#readTarget(index);
		else if (where === 'zero') this.#take(index, undefined);
		else this.#take(index, where);
		return where instanceof CachedChunk;
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

	/** A chunk's part of the read; undefined is zeros. */
	#take(index: number, chunk: CachedChunk | RouseError | undefined): void {
		const { number, from, length } = this.#part(index);
		if (chunk === undefined) this.#parts[number] = [zeroBytes(length)];
		else if (chunk instanceof CachedChunk) {
			const parts = this.#partsOf(index, chunk, from, length);
			if (parts === undefined) {
				this.#wait(index);
				return;
			}
			this.#parts[number] = parts;
		} else {
			this.#failWith(`${this.#disk.name}: ${chunk.message}`);
			return;
		}
		this.#pieceDone();
	}

	/** Where they lie; copied when they are so little of the chunk that it is not worth being kept for them. */
	#partsOf(index: number, chunk: CachedChunk, from: number, length: number): readonly Buffer[] | undefined {
		const to = from + length;
		if (length * 2 < chunk.rawBytes) {
			const into = Buffer.allocUnsafe(length);
			return this.#disk.copy(index, chunk, { into, at: 0, from, to }) ? [into] : undefined;
		}
		const parts = this.#disk.parts(index, chunk, from, to);
		if (parts) this.#kept.push(chunk);
		return parts;
	}

	#readTarget(index: number): void {
		const { number, at, from, length } = this.#part(index);
		const offset = index * this.#disk.image.chunkSizeBytes + from;
		this.#room ??= largeBuffers.take(this.#length);
		this.#parts[number] = [this.#room.subarray(at, at + length)];
		this.#disk.readTarget(this.#room, at, { offset, length }, error => {
			if (error) this.#failWith(error.message);
			else this.#pieceDone();
		});
	}

	/** Which of its parts that of a chunk is, and where it lies: in the read and in the chunk. */
	#part(index: number): { number: number; at: number; from: number; length: number } {
		const { chunkSizeBytes } = this.#disk.image;
		const begin = Math.max(this.#offset, index * chunkSizeBytes);
		const end = Math.min(this.#end, (index + 1) * chunkSizeBytes);
		const number = index - Math.floor(this.#offset / chunkSizeBytes);
		return { number, at: begin - this.#offset, from: begin - index * chunkSizeBytes, length: end - begin };
	}

	#pieceDone(): void {
		this.#open -= 1;
		if (this.#over) return;
		if (this.#missing.size === 0) this.#waiting.delete(this);
		if (this.#open > 0) return;
		this.#over = true;
		const tailBytes = this.#offset + this.#length - this.#end; // beyond the exact size
		if (tailBytes > 0) this.#parts.push([zeroBytes(tailBytes)]);
		this.#done(this.#parts.flat(), () => {
			if (this.#room) largeBuffers.giveBack(this.#room);
			this.#letGo();
		});
	}

	#letGo(): void {
		for (const chunk of this.#kept.splice(0)) chunk.letGo();
	}

	#failWith(message: string): void {
		if (this.#over) return;
		this.cancel();
		this.#counters.failedReads += 1;
		this.#done({ errno: NBD_ERROR.EIO, message });
	}
}

function zeroBytes(length: number): Buffer {
	return length <= zeros.length ? zeros.subarray(0, length) : Buffer.alloc(length);
}
