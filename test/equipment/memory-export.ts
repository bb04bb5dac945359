import type { Extent, NbdExport, Pending, NbdFailure, ReadNow } from '../../nbd/server/export.ts';

interface HeldRead {
	offset: number;
	length: number;
	done: (result: Buffer | NbdFailure) => void;
	cancelled: boolean;
}

/** An export in memory: reads that touch `slow` bytes wait until the test answers them. */
export class MemoryExport implements NbdExport {
	readonly name: string;
	readonly description = 'in memory';
	readonly metaContexts = ['base:allocation', 'rouse:restored'];
	readonly bytes: Buffer;
	readonly held: HeldRead[] = [];
	readonly hints: { offset: number; length: number }[] = [];
	readonly refused: { offset: number; length: number }[] = [];
	readonly #slow: { from: number; to: number };

	constructor(name: string, bytes: Buffer, slow = { from: 0, to: 0 }) {
		this.name = name;
		this.bytes = bytes;
		this.#slow = slow;
	}

	get sizeBytes(): number {
		return this.bytes.length;
	}

	readNow(into: Buffer, at: number, offset: number, length: number): ReadNow {
		if (offset < this.#slow.to && offset + length > this.#slow.from) return 'later';
		this.bytes.copy(into, at, offset, offset + length);
		return this.bytes.subarray(offset, offset + length).every(byte => byte === 0) ? 'zeroes' : 'data';
	}

	readLater(offset: number, length: number, done: (result: Buffer | NbdFailure) => void): Pending {
		const held: HeldRead = { offset, length, done, cancelled: false };
		if (offset < this.#slow.to && offset + length > this.#slow.from) this.held.push(held);
		else done(Buffer.from(this.bytes.subarray(offset, offset + length)));
		return {
			cancel: () => {
				held.cancelled = true;
			},
		};
	}

	/** Answers the read that has waited longest, with its bytes or with a failure. */
	answer(failure?: NbdFailure): void {
		const held = this.held.shift();
		if (held === undefined) throw new Error('nobody waits');
		held.done(failure ?? Buffer.from(this.bytes.subarray(held.offset, held.offset + held.length)));
	}

	/** Every 4 KiB is an extent of its own; those that are zero are holes. */
	blockStatus(
		contexts: readonly string[],
		{ offset, length, single }: { offset: number; length: number; single: boolean },
		done: (result: Extent[][] | NbdFailure) => void,
	): Pending {
		const extents: Extent[] = [];
		const limit = single ? 1 : Infinity;
		for (let at = offset; at < offset + length && extents.length < limit; ) {
			const end = Math.min(offset + length, (Math.floor(at / 4096) + 1) * 4096);
			extents.push({ length: end - at, flags: this.bytes.subarray(at, end).every(byte => byte === 0) ? 3 : 0 });
			at = end;
		}
		done(contexts.map(context => (context === 'base:allocation' ? extents : [{ length, flags: 0 }])));
		return { cancel() {} };
	}

	willNeed(offset: number, length: number): void {
		this.hints.push({ offset, length });
	}

	writeRefused(offset: number, length: number): void {
		this.refused.push({ offset, length });
	}
}
