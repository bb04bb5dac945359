import { read, readSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { RouseError } from '../../model/errors.ts';
import { exactBytes } from '../../model/format-bytes.ts';
import type { Clock } from '../../system/clock.ts';
import type { MoverTarget } from '../config.ts';
import { ReadSpeed } from './read-speed.ts';

/** The target, opened for reading only; offsets are those of the disk. */
export class TargetFile {
	readonly #file: FileHandle;
	readonly #path: string;
	/** Where the disk's first byte lies. */
	readonly #startBytes: number;
	readonly #speed: ReadSpeed;
	#failure: RouseError | undefined;

	/** Takes the handle over. */
	constructor(
		{ path, offsetBytes }: Pick<MoverTarget, 'path' | 'offsetBytes'>,
		file: FileHandle,
		clock: Pick<Clock, 'now'>,
		blocksRead?: () => number,
	) {
		this.#path = path;
		this.#startBytes = offsetBytes;
		this.#file = file;
		this.#speed = new ReadSpeed(clock, blocksRead);
	}

	/** The last read that failed, until it is forgotten: reads of other places go on and say nothing about that one. */
	get failure(): RouseError | undefined {
		return this.#failure;
	}

	forgetFailure(): void {
		this.#failure = undefined;
	}

	/**
	 * Reads within this call: from the page cache that costs a tenth of a trip through the thread pool. False when it did
	 * not, because the disk was slow lately or failed; `readLater` will tell why.
	 */
	readNow(into: Buffer, at: number, offset: number, length: number): boolean {
		if (!this.#speed.begin()) return false;
		try {
			for (let done = 0; done < length; ) {
				const count = readSync(this.#file.fd, into, at + done, length - done, this.#startBytes + offset + done);
				if (count === 0) return false;
				done += count;
			}
			return true;
		} catch {
			return false;
		} finally {
			this.#speed.end(length); // of a disk that fails as well: it takes longest
		}
	}

	/** Reads in the thread pool; `done` gets `io_failed` or nothing. */
	readLater(
		into: Buffer,
		at: number,
		{ offset, length }: { offset: number; length: number },
		done: (error?: RouseError) => void,
	): void {
		read(this.#file.fd, into, at, length, this.#startBytes + offset, (cause, count) => {
			if (cause) done(this.#failed(offset, length, cause));
			else if (count === 0) done(this.#failed(offset, length, new Error('the file ends there')));
			else if (count === length) done();
			else this.readLater(into, at + count, { offset: offset + count, length: length - count }, done);
		});
	}

	async close(): Promise<void> {
		await this.#file.close();
	}

	#failed(offset: number, length: number, cause: unknown): RouseError {
		const why = cause instanceof Error ? cause.message : String(cause);
		const message = `cannot read ${exactBytes(length)} at offset ${offset} of ${this.#path}: ${why}`;
		const hint = "look at this host's disk under that path";
		this.#failure = new RouseError('io_failed', message, { cause, hint });
		return this.#failure;
	}
}
