import { writeSync } from 'node:fs';
import { RouseError } from '../../model/errors.ts';
import type { Reached } from '../../system/reached.ts';
import { decodeChunkInto } from '../format/chunk.ts';
import type { CopyAnswer, CopyJob } from './copy-job.ts';

/**
 * Written at once: the processor's cache holds it, and a file system that locks the file for each write (XFS) lets others
 * read it in between.
 */
const pieceBytes = 512 * 1024;

/** A write that failed. */
export class WriteFailed extends Error {
	override name = 'WriteFailed';
	readonly found: NonNullable<CopyAnswer['writeError']>;

	constructor(cause: unknown, atBytes: number, lengthBytes: number) {
		super('a write failed', { cause });
		const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
		this.found = { code, message: cause instanceof Error ? cause.message : String(cause), atBytes, lengthBytes };
	}
}

/** Slabs that are free: a thread has as many as it has jobs. */
const slabs: Buffer[] = [];

/**
 * The chunks of one job on their way to the file: each is compared with its digest, and neighbours in the file are gathered
 * and written together. Synchronous, for a thread.
 */
export class WrittenRuns {
	readonly written: number[] = [];
	readonly #job: CopyJob;
	readonly #stopped: () => boolean;
	readonly #reached: Reached;
	readonly #slab: Buffer;
	/** Gathered and not yet written. */
	#positions: number[] = [];
	#atBytes = 0;
	#filled = 0;

	constructor(job: CopyJob, stopped: () => boolean, reached: Reached) {
		this.#job = job;
		this.#stopped = stopped;
		this.#reached = reached;
		const needed = Math.max(pieceBytes, ...job.rawBytes);
		const free = slabs.pop();
		this.#slab = free !== undefined && free.length >= needed ? free : Buffer.allocUnsafeSlow(needed);
	}

	/** Takes a chunk in. `interrupted` when the job is to stop, and `chunk_bad` when its bytes are not those of its digest: then nothing of it is written. */
	add(position: number, stored: Uint8Array): void {
		if (this.#stopped()) throw new RouseError('interrupted', 'the job was stopped');
		const { refs, rawBytes, atBytes } = this.#job;
		const [ref, length, at] = [refs[position], rawBytes[position], atBytes[position]];
		if (ref === undefined || length === undefined || at === undefined)
			throw new RouseError('protocol', `more than the ${refs.length} chunks asked for`);
		const isNext = at === this.#atBytes + this.#filled && this.#filled + length <= this.#slab.length;
		if (this.#filled > 0 && !isNext) this.flush();
		decodeChunkInto(ref, stored, this.#slab.subarray(this.#filled, this.#filled + length));
		if (this.#filled === 0) this.#atBytes = at;
		this.#filled += length;
		this.#positions.push(position);
	}

	/** Writes what is gathered, unless the job is to stop. Throws {@link WriteFailed}. */
	flush(): void {
		const [filled, positions] = [this.#filled, this.#positions];
		this.#filled = 0;
		this.#positions = [];
		for (let done = 0; done < filled; ) {
			this.#reached('copy.verified');
			if (this.#stopped()) return;
			done += this.#write(done, Math.min(pieceBytes, filled - done));
		}
		if (filled > 0) this.#reached('copy.written');
		this.written.push(...positions);
	}

	/** Nothing is added any more. */
	close(): void {
		slabs.push(this.#slab);
	}

	#write(from: number, lengthBytes: number): number {
		try {
			return writeSync(this.#job.fd, this.#slab, from, lengthBytes, this.#atBytes + from);
		} catch (cause) {
			throw new WriteFailed(cause, this.#atBytes + from, lengthBytes);
		}
	}
}
