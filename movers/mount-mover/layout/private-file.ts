import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { RouseError } from '../../../model/errors.ts';
import type { Clock } from '../../../system/clock.ts';
import { writeError } from '../../write-error.ts';
import { TargetFile } from '../target-file.ts';

type Done = (failure?: RouseError) => void;

/**
 * A file of this layout alone, read and written: what a guest's host keeps beside the disks, and no disk's data. After an
 * error of a write or of its flush nothing is written any more: the kernel tells of a failed write-back once, and what
 * the file holds then nobody knows.
 */
export class PrivateFile {
	readonly path: string;
	readonly #file: FileHandle;
	readonly #reads: TargetFile;
	#failure: RouseError | undefined;
	/** Who waits for a flush that has not begun. */
	#unflushed: Done[] = [];
	#flushing = false;

	/** Takes the handle over. */
	constructor(path: string, file: FileHandle, clock: Pick<Clock, 'now'>) {
		this.path = path;
		this.#file = file;
		this.#reads = new TargetFile({ path, offsetBytes: 0 }, file, clock);
	}

	/** Why it is not written any more. */
	get failure(): RouseError | undefined {
		return this.#failure;
	}

	/** See `TargetFile`. */
	readNow(into: Buffer, at: number, offset: number, length: number): boolean {
		return this.#reads.readNow(into, at, offset, length);
	}

	/** See `TargetFile`. */
	readLater(into: Buffer, at: number, range: { offset: number; length: number }, done: Done): void {
		this.#reads.readLater(into, at, range, done);
	}

	/** Calls `done` when it is in the file, though not flushed, with `space_short` or `io_failed` when it is not. */
	write(bytes: Uint8Array, offset: number, done: Done): void {
		void this.#write(bytes, offset, done);
	}

	/**
	 * Makes durable what was written before. One at a time: of two at once on one file the kernel tells only one that
	 * writing back has failed (fsync(2), errors by open file description).
	 */
	flush(done: Done): void {
		this.#unflushed.push(done);
		if (!this.#flushing) void this.#flushAll();
	}

	/** Waits for writes and flushes that were begun. */
	async close(): Promise<void> {
		await this.#reads.close();
	}

	async #write(bytes: Uint8Array, offset: number, done: Done): Promise<void> {
		for (let written = 0; written < bytes.length && this.#failure === undefined; )
			try {
				const left = bytes.length - written;
				written += (await this.#file.write(bytes, written, left, offset + written)).bytesWritten;
			} catch (cause) {
				this.#failure ??= writeError(this.path, `cannot write ${bytes.length} bytes at ${offset}`, cause);
			}
		done(this.#failure);
	}

	async #flushAll(): Promise<void> {
		this.#flushing = true;
		while (this.#unflushed.length > 0) {
			const waiting = this.#unflushed;
			this.#unflushed = [];
			try {
				if (this.#failure === undefined) await this.#file.datasync();
			} catch (cause) {
				this.#failure ??= writeError(this.path, 'cannot be flushed', cause);
			}
			for (const done of waiting) done(this.#failure);
		}
		this.#flushing = false;
	}
}

/** Opens a file that is there, never through a link in its place. `io_failed` when it cannot be opened. */
export async function openPrivateFile(path: string, clock: Pick<Clock, 'now'>): Promise<PrivateFile> {
	try {
		const file = await open(path, constants.O_RDWR | constants.O_NOFOLLOW);
		return new PrivateFile(path, file, clock);
	} catch (cause) {
		throw new RouseError('io_failed', `${path} cannot be opened for writing`, { cause });
	}
}
