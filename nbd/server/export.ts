import type { NbdErrno } from '../protocol/constants.ts';

/**
 * How a read that may be answered at once went. `data`: the bytes are in place. `zeroes`: the same, and all are zero.
 * `later`: it cannot be answered at once, ask `readLater`.
 */
export type ReadNow = 'data' | 'zeroes' | 'later';

/** Why a request gets no more than an error. */
export interface NbdFailure {
	errno: NbdErrno;
	message: string;
}

/** What a read gives: in one buffer, or in several that lie behind each other. */
export type NbdBytes = Buffer | readonly Buffer[];

export function copyBytes(bytes: NbdBytes, into: Buffer, at = 0): void {
	let to = at;
	for (const part of Buffer.isBuffer(bytes) ? [bytes] : bytes) to += part.copy(into, to);
}

export type ReadDone = (result: NbdBytes | NbdFailure, free?: () => void) => void;

/** A run of bytes with one status. */
export interface Extent {
	length: number;
	/** What the metadata context says: `NBD_STATE` for `base:allocation`. */
	flags: number;
}

/** Something that was begun and can still be called off: after `cancel` its callback is not called. */
export interface Pending {
	cancel(): void;
}

/** Takes what is written to an export. Ranges were checked before: they lie within its `sizeBytes` and are not empty. */
export interface NbdWriter {
	/**
	 * Writes the whole range, or nothing of it (EPERM) when it may not be written, and calls `done` once; with `durable`
	 * only when the bytes are on stable storage. The buffer is the writer's. What was begun cannot be called off.
	 */
	write(offset: number, bytes: Buffer, durable: boolean, done: (failure?: NbdFailure) => void): void;

	/** Calls `done` once, when every write that was answered before is on stable storage. */
	flush(done: (failure?: NbdFailure) => void): void;
}

/**
 * A disk that is served, read-only where it has no `writer`. Ranges were checked before: they lie within `sizeBytes` and
 * are not empty. Any number of calls may be under way at once, from any number of connections.
 */
export interface NbdExport {
	readonly name: string;
	/** For people: shown by `nbdinfo --list`. */
	readonly description: string;
	readonly sizeBytes: number;
	/** Metadata contexts that `blockStatus` knows, as `namespace:name`. */
	readonly metaContexts: readonly string[];
	readonly writer?: NbdWriter | undefined;

	/**
	 * Puts the bytes into `into` from `at` on when that needs no waiting. This is the hot path: it allocates nothing and
	 * makes no promise. It MUST NOT call anybody back.
	 */
	readNow(into: Buffer, at: number, offset: number, length: number): ReadNow;

	/**
	 * The bytes where they lie in memory, for large reads, which need no copy then; undefined when they do not, and the other
	 * two say more. They stay as they are until `free` is called, which whoever got them does when he uses them no more.
	 */
	lend?(offset: number, length: number): { bytes: readonly Buffer[]; free: () => void } | undefined;

	/**
	 * Reads however long it takes and calls `done` once, possibly before it returns. The bytes stay as they are until `free` is
	 * called, which the receiver does when he does not use them any more; he changes nothing in them.
	 */
	readLater(offset: number, length: number, done: ReadDone): Pending;

	/**
	 * Status from `offset` on, for each context at least one extent, together at most `length`; exactly one when `single`.
	 * May say less than was asked for. Calls `done` once, possibly before it returns.
	 */
	blockStatus(
		contexts: readonly string[],
		range: { offset: number; length: number; single: boolean },
		done: (result: Extent[][] | NbdFailure) => void,
	): Pending;

	/** A hint that the range will be read soon. */
	willNeed(offset: number, length: number): void;

	/** Somebody tried to write where that is not allowed, and got EPERM. The range may be any, also beyond the end. */
	writeRefused?(offset: number, length: number): void;
}

/** The exports of a server; the empty name is the first. */
export class NbdExports {
	readonly all: readonly NbdExport[];

	constructor(all: readonly NbdExport[]) {
		this.all = all;
	}

	find(name: string): NbdExport | undefined {
		return name === '' ? this.all[0] : this.all.find(one => one.name === name);
	}
}
