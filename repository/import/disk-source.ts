import type { MissingPart } from '../../model/chunk.ts';

/** A disk to import: what an import needs of it, and no more. */
export interface DiskSource {
	/** Exact size in bytes, at least 1, not always a multiple of 512. */
	readonly sizeBytes: number;
	/**
	 * The whole disk from 0 to `sizeBytes`, in order and without gaps or overlaps. Called once. Breaking out of the loop MUST free
	 * what it holds. It may be long between one extent and the next: what was told is dealt with meanwhile. One that comes further
	 * without an extent says so by `onListed`: who hears of nothing for long takes it for dead.
	 */
	extents(signal: AbortSignal, onListed?: () => void): AsyncIterable<SourceExtent>;
	/**
	 * `random`, the default: also others than an import may read it, here and there. `sequential`: it is read in ascending order alone, and
	 * what lies between reads has gone by; but what lies in the first {@link sequentialHeadBytes} may be read at any time. Whether it was
	 * read right may be known at its end alone ({@link checkUnchanged}): of an attempt that ended before nothing is taken for read.
	 */
	readonly access?: 'random' | 'sequential' | undefined;
	/**
	 * Fills `into` whole with the bytes from `offsetBytes` on, or throws; never asked past `sizeBytes`. MUST allow several
	 * calls at once, which begin in ascending order; no byte is asked for twice. Any part may be asked for, whatever its extent
	 * says. Errors by code: `source_invalid` when the source ends early or cannot be read.
	 */
	read(offsetBytes: number, into: Buffer, signal: AbortSignal): Promise<void>;
	/**
	 * Throws `source_invalid` when it is not what it was when it was opened: what was read then never was a disk. Absent where
	 * that cannot be told. Called when all that is wanted was read: one that is read in order reads on to its end.
	 */
	checkUnchanged?(signal?: AbortSignal): Promise<void>;
	/**
	 * Names the state of what is read, up to 200 characters: two sources with the same name give the same bytes. Absent where that
	 * cannot be told.
	 */
	readonly moment?: string | undefined;
	/** Set when the source is only a part of a disk: what it lacks reads as zeros. */
	readonly missing?: MissingPart | undefined;
	/** The disk of the import's base that `unchanged` speaks of; without it, or without a base, such parts are read. */
	readonly baseDisk?: number | undefined;
	/** Idempotent. Whoever opened a source closes it; an import does not. */
	close(): Promise<void>;
}

/** Of a source that is read in order, what is at hand at any time: tables of partitions lie there. */
export const sequentialHeadBytes = 2 ** 20;

export interface SourceExtent {
	offsetBytes: number;
	lengthBytes: number;
	/**
	 * `zero`: every byte is known to be zero. `unchanged`: the bytes are those that {@link DiskSource.baseDisk} of the import's base
	 * has there. Neither is read where a whole chunk is so.
	 */
	kind: 'data' | 'zero' | 'unchanged';
}
