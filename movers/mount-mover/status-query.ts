import { baseAllocation, NBD_STATE } from '../../nbd/protocol/constants.ts';
import type { Extent, Pending, NbdFailure } from '../../nbd/server/export.ts';
import { ExtentList } from '../../nbd/server/extent-list.ts';
import type { DiskReadOptions } from './disk-read.ts';
import type { RestorePointDisk } from './restore-point-disk.ts';
import type { Waiter, WaitingReads } from './waiting-reads.ts';

export interface StatusRange {
	offset: number;
	length: number;
	single: boolean;
}

/** With this flag bytes are read from the target on this host, without it from the repository. */
const restoredFlag = 1 << 0;
/** Metadata contexts of every disk; the second one is our own. */
export const metaContexts: readonly string[] = [baseAllocation, 'rouse:restored'];

/** Chunks looked at for one answer: about 10 ms. The client asks on from where the answer ends. */
const maxChunks = 8192;
const holeFlags = NBD_STATE.HOLE | NBD_STATE.ZERO;

/**
 * A question for block status. Says as much as is known without loading a page, and loads one when that is nothing.
 * Where it may not wait it says "data", which is always true (NBD, "NBD_CMD_BLOCK_STATUS"): no client sees an error.
 */
export class StatusQuery implements Waiter, Pending {
	readonly #disk: RestorePointDisk;
	readonly #waiting: WaitingReads;
	readonly #patient: boolean;
	readonly #contexts: readonly string[];
	readonly #range: StatusRange;
	readonly #done: (result: Extent[][] | NbdFailure) => void;
	#callOff = () => {};

	constructor(
		{ disk, waiting, patient }: DiskReadOptions,
		contexts: readonly string[],
		range: StatusRange,
		done: (result: Extent[][] | NbdFailure) => void,
	) {
		this.#disk = disk;
		this.#waiting = waiting;
		this.#patient = patient;
		this.#contexts = contexts;
		this.#range = range;
		this.#done = done;
	}

	start(): this {
		const first = Math.floor(this.#range.offset / this.#disk.image.chunkSizeBytes);
		const unknown = this.#contexts.includes(baseAllocation) && this.#disk.contentOf(first) === undefined;
		const mayWait = this.#patient && !this.#waiting.failing && this.#disk.damageOf(first) === undefined;
		if (unknown && mayWait) {
			this.#waiting.add(this);
			this.#callOff = this.#disk.loadPage(first, failure => {
				this.#waiting.delete(this);
				if (failure) this.#answer();
				else this.start();
			});
		} else this.#answer();
		return this;
	}

	cancel(): void {
		this.#waiting.delete(this);
		this.#callOff();
	}

	fail(): void {
		this.cancel();
		this.#answer();
	}

	lookAgain(): void {}

	#answer(): void {
		this.#done(this.#contexts.map(context => (context === baseAllocation ? this.#allocation() : this.#restored())));
	}

	#allocation(): Extent[] {
		return this.#extents(index => {
			const content = this.#disk.contentOf(index);
			if (content === undefined) return undefined;
			return content === 'zero' ? holeFlags : 0;
		});
	}

	#restored(): Extent[] {
		return this.#extents(index => (this.#disk.isRestored(index) ? restoredFlag : 0));
	}

	/** Extents by chunk; ends at the first chunk of which nothing is known, which as the very first one counts as data. */
	#extents(flagsOf: (index: number) => number | undefined): Extent[] {
		const { chunkSizeBytes } = this.#disk.image;
		const { offset, length, single } = this.#range;
		const list = new ExtentList(single);
		const lastIndex = this.#disk.chunkCount - 1;
		for (let position = offset, looked = 0; position < offset + length && looked < maxChunks; looked += 1) {
			// The tail beyond the exact size goes with the last chunk, whose span it never leaves.
			const index = Math.min(lastIndex, Math.floor(position / chunkSizeBytes));
			const flags = flagsOf(index);
			const stop = Math.min(offset + length, index === lastIndex ? Infinity : (index + 1) * chunkSizeBytes);
			if (flags === undefined || !list.add(stop - position, flags)) break;
			position = stop;
		}
		return list.extents.length > 0 ? list.extents : [{ length, flags: 0 }];
	}
}
