import type { FileHandle } from 'node:fs/promises';
import { wholeSectors } from '../../model/chunk-bounds.ts';
import { RouseError } from '../../model/errors.ts';
import { exactBytes } from '../../model/format-bytes.ts';
import { FileWriteError } from '../../repository/copy/file-write-error.ts';
import type { Reached } from '../../system/reached.ts';
import type { MoverDisk } from '../config.ts';
import { openTarget } from '../open-target.ts';
import { restoredMapIdentity } from '../restored-map/identity.ts';
import type { ChunkRange } from '../restored-map/layout.ts';
import type { RestoredSummary } from '../restored-map/reader.ts';
import { openRestoredMapWriter, type RestoredMapWriter } from '../restored-map/writer.ts';
import { writeError } from '../write-error.ts';
import { TargetGroup } from './target-group.ts';

/** A group is synced and recorded when so much was written, or so long after its first chunk. */
export const groupBytes = 8 * 1024 * 1024;
/** Of what threads write, whom no limit holds back: fewer syncs, and they go on writing meanwhile. */
export const threadGroupBytes = 64 * 1024 * 1024;
const groupMs = 500;

const zeros = Buffer.alloc(1024 * 1024);

/** A chunk that somebody else is to write, and its exact bytes. */
export interface LentChunk {
	index: number;
	rawBytes: number;
}

type WriteLent<C> = (lent: readonly C[], fd: number) => Promise<readonly C[]>;

/**
 * A target, open for writing. Every chunk goes through the same order: pwrite; fdatasync of the target; only then the
 * record in the map. A kill between any two of these leaves chunks that are written again, never one that is recorded
 * and not there.
 *
 * It knows only what it has itself restored. It cannot know that the machine has been switched to the target and that a
 * guest now writes there: whoever switches MUST have ended this process, and seen its lock free, before.
 */
export class MigrationTarget {
	readonly disk: MoverDisk;
	readonly #file: FileHandle;
	readonly #map: RestoredMapWriter;
	readonly #reached: Reached;
	/** Being written, or written and not yet recorded. */
	readonly #inHand = new Set<number>();
	/** Lent to a thread, which may be writing them. */
	readonly #lent = new Set<number>();
	#lentBytes = 0;
	/** Writes that have not ended. */
	readonly #writing = new Set<Promise<unknown>>();
	readonly #over = new AbortController();
	#group = new TargetGroup();
	#timer: NodeJS.Timeout | undefined;
	#commits: Promise<void> = Promise.resolve();
	#failure: RouseError | undefined;

	constructor(disk: MoverDisk, file: FileHandle, map: RestoredMapWriter, reached: Reached) {
		this.disk = disk;
		this.#file = file;
		this.#map = map;
		this.#reached = reached;
	}

	/** Set after the first error: then nothing is written any more, and opening the target anew is the only way on. */
	get failure(): RouseError | undefined {
		return this.#failure;
	}

	/** Aborted with the first error, and at the end: whoever writes what was lent stops. */
	get over(): AbortSignal {
		return this.#over.signal;
	}

	/** Zero chunks need not be written. */
	get readsZero(): boolean {
		return this.#map.targetReadsZero;
	}

	summary(): RestoredSummary {
		return this.#map.summary();
	}

	/** Restored, or on the way there. */
	has(chunk: number): boolean {
		return this.#map.bitmap.has(chunk) || this.#inHand.has(chunk) || this.#lent.has(chunk);
	}

	/** A thread may be writing it, and may yet give it back. */
	isLent(chunk: number): boolean {
		return this.#lent.has(chunk);
	}

	/** First chunk from `from` on that is not restored; `limit` when there is none before it. */
	nextMissing(from: number, limit?: number): number {
		return this.#map.bitmap.nextMissing(from, limit);
	}

	/** End of the run of chunks that are not restored, as `from` is not. */
	endOfMissing(from: number, limit: number): number {
		return this.#map.bitmap.endOfRun(from, limit);
	}

	/**
	 * Writes a chunk whose bytes matched their digest, unless it is restored or in hand already. Resolves when it is
	 * written; it is recorded within half a second more. Waits while the group before it is being synced: no more than
	 * two groups are ever unrecorded. `space_short` or `io_failed`.
	 */
	write(chunk: number, bytes: Buffer): Promise<void> {
		return this.#track(this.#write(chunk, bytes));
	}

	async #write(chunk: number, bytes: Buffer): Promise<void> {
		this.#throwIfFailed();
		if (this.has(chunk)) return;
		this.#inHand.add(chunk);
		const offset = this.offsetOf(chunk);
		const tail = wholeSectors(bytes.length) - bytes.length; // what the guest sees after the disk's own bytes is zero
		await this.#pwrite(bytes, offset);
		if (tail > 0) await this.#pwrite(zeros.subarray(0, tail), offset + bytes.length);
		await this.#written({ first: chunk, count: 1 }, bytes.length);
	}

	/** Restores zero chunks without writing: only where the target is known to read zero. */
	async recordZero(range: ChunkRange): Promise<void> {
		this.#throwIfFailed();
		if (!this.readsZero)
			throw new RouseError('internal', `${this.disk.name}: the target is not known to read zero, so zeros are written`);
		await this.#written(range, 0);
	}

	/** Writes zeros over a zero chunk. */
	writeZero(chunk: number, lengthBytes: number): Promise<void> {
		return this.#track(this.#writeZero(chunk, lengthBytes));
	}

	async #writeZero(chunk: number, lengthBytes: number): Promise<void> {
		this.#throwIfFailed();
		if (this.has(chunk)) return;
		this.#inHand.add(chunk);
		const offset = this.offsetOf(chunk);
		const length = wholeSectors(lengthBytes);
		for (let done = 0; done < length; done += zeros.length)
			await this.#pwrite(zeros.subarray(0, Math.min(zeros.length, length - done)), offset + done);
		await this.#written({ first: chunk, count: 1 }, lengthBytes);
	}

	/**
	 * Lends chunks to somebody who writes them by the descriptor; what is restored or in hand is not among them. `write` resolves to
	 * those that are written, and rejects with an error of writing alone; in either case when nobody writes for it any more, which
	 * is to be soon once `over` is aborted. Until then nobody else writes these chunks, and the file stays open: a descriptor that was
	 * closed may be another file's. Resolves to what was not written, which is nobody's then.
	 */
	lend<C extends LentChunk>(wanted: readonly C[], mostBytes: number, write: WriteLent<C>): Promise<readonly C[]> {
		return this.#track(this.#lend(wanted, mostBytes, write));
	}

	async #lend<C extends LentChunk>(
		wanted: readonly C[],
		mostBytes: number,
		write: WriteLent<C>,
	): Promise<readonly C[]> {
		// What is on its way belongs to the next group: no more than two are ever unrecorded.
		if (this.#group.bytes + this.#lentBytes >= mostBytes) await this.#commits;
		this.#throwIfFailed();
		const lent = wanted.filter(({ index }) => !this.has(index));
		if (lent.length === 0) return [];
		const bytes = lent.reduce((sum, { rawBytes }) => sum + rawBytes, 0);
		for (const { index } of lent) this.#lent.add(index);
		this.#lentBytes += bytes;
		let written: ReadonlySet<C>;
		try {
			written = new Set(await write(lent, this.#file.fd));
			this.#reached('migration.thread-written');
			for (const { index } of written) this.#inHand.add(index);
		} catch (cause) {
			throw this.#fail(lentError(this.disk.target.path, cause));
		} finally {
			for (const { index } of lent) this.#lent.delete(index);
			this.#lentBytes -= bytes;
		}
		this.#throwIfFailed(); // meanwhile: then nothing is recorded
		for (const { index, rawBytes } of written) this.#group.add({ first: index, count: 1 }, rawBytes);
		if (written.size > 0) await this.#filled(mostBytes);
		return lent.filter(chunk => !written.has(chunk));
	}

	/** Where a chunk begins in the target, for who writes it by a descriptor. */
	offsetOf(chunk: number): number {
		return this.disk.target.offsetBytes + chunk * this.disk.image.chunkSizeBytes;
	}

	/** Resolves when all that was written before is recorded. */
	flush(): Promise<void> {
		clearTimeout(this.#timer);
		this.#timer = undefined;
		const commit = this.#commits.then(() => this.#commit());
		this.#commits = commit.catch(() => {}); // who asked is told; the next finds `failure`
		return commit;
	}

	/** Resolves when every write that is under way has ended, well or not. */
	async writesEnded(): Promise<void> {
		await Promise.allSettled(this.#writing);
	}

	/** Records nothing more. */
	async close(): Promise<void> {
		this.#fail(new RouseError('interrupted', `${this.disk.name}: the target was closed`));
		clearTimeout(this.#timer);
		await this.#commits;
		// FileHandle.close waits for its own writes, but knows nothing of those of threads.
		await this.writesEnded();
		await this.#map.close();
		await this.#file.close();
	}

	#track<T>(write: Promise<T>): Promise<T> {
		this.#writing.add(write);
		const ended = () => this.#writing.delete(write);
		write.then(ended, ended);
		return write;
	}

	async #written(range: ChunkRange, bytes: number): Promise<void> {
		this.#group.add(range, bytes);
		await this.#filled(groupBytes);
	}

	async #filled(mostBytes: number): Promise<void> {
		if (this.#group.bytes >= mostBytes) await this.flush();
		// A failure stays in `failure` and stops the next write.
		else this.#timer ??= setTimeout(() => void this.flush().catch(() => {}), groupMs);
	}

	async #commit(): Promise<void> {
		this.#throwIfFailed();
		const group = this.#group;
		if (group.empty) return;
		// Every chunk of this group was written before fdatasync is asked for; what comes now belongs to the next.
		this.#group = new TargetGroup();
		this.#reached('migration.data-written');
		try {
			await this.#file.datasync();
		} catch (cause) {
			// The kernel may have dropped the pages it could not write and reports that once: a second fdatasync would
			// succeed over lost data (https://wiki.postgresql.org/wiki/Fsync_Errors).
			throw this.#fail(writeError(this.disk.target.path, 'fdatasync', cause));
		}
		this.#reached('migration.data-synced');
		try {
			await this.#map.append(group.ranges());
		} catch (cause) {
			throw this.#fail(cause instanceof RouseError ? cause : writeError(this.disk.mapPath, 'append', cause));
		}
		this.#reached('migration.recorded');
		for (const chunk of this.#inHand) if (this.#map.bitmap.has(chunk)) this.#inHand.delete(chunk);
	}

	async #pwrite(bytes: Buffer, offset: number): Promise<void> {
		try {
			for (let done = 0; done < bytes.length; ) {
				const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done, offset + done);
				done += bytesWritten;
			}
		} catch (cause) {
			throw this.#fail(
				writeError(this.disk.target.path, `writing ${exactBytes(bytes.length)} at offset ${offset}`, cause),
			);
		}
	}

	#fail(error: RouseError): RouseError {
		this.#failure ??= error;
		this.#over.abort(this.#failure);
		return this.#failure;
	}

	#throwIfFailed(): void {
		if (this.#failure) throw this.#failure;
	}
}

function lentError(path: string, cause: unknown): RouseError {
	if (cause instanceof RouseError) return cause;
	const at = cause instanceof FileWriteError ? ` ${exactBytes(cause.lengthBytes)} at offset ${cause.atBytes}` : '';
	return writeError(path, `writing${at}`, cause);
}

/**
 * Opens a target and its map. `identity_conflict`, with nothing changed, when the map tells of another recovery, disk or
 * file, or when the target has not the size that the disk needs.
 */
export async function openMigrationTarget(
	recoveryId: string,
	disk: MoverDisk,
	reached: Reached,
): Promise<MigrationTarget> {
	let file: FileHandle;
	try {
		file = await openTarget(disk, 'write');
	} catch (cause) {
		throw cause instanceof RouseError ? cause : writeError(disk.target.path, 'opening the target', cause);
	}
	try {
		const identity = restoredMapIdentity(recoveryId, disk.image, disk.target.identity);
		return new MigrationTarget(disk, file, await openRestoredMapWriter(disk.mapPath, identity), reached);
	} catch (error) {
		await file.close();
		throw error;
	}
}
