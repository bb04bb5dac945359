import { createHash } from 'node:crypto';
import type { Extent, NbdExport, NbdFailure, Pending, ReadNow } from '../../../nbd/server/export.ts';

const blockBytes = 64 * 1024;

/** Bytes that nothing else has, the same for the same name, other ones in every sector. */
export function generatedBytes(name: string, sizeBytes: number): Buffer {
	const bytes = Buffer.alloc(sizeBytes);
	for (let at = 0; at < sizeBytes; at += blockBytes) {
		const block = bytes.subarray(at, Math.min(at + blockBytes, sizeBytes));
		block.fill(createHash('sha512').update(`${name} ${at}`).digest());
		for (let sector = 0; sector + 8 <= block.length; sector += 512) block.writeBigUInt64LE(BigInt(at + sector), sector);
	}
	return bytes;
}

interface Held {
	offset: number;
	length: number;
	done: (result: Buffer | NbdFailure) => void;
}

/** A disk of the base, whose reads can be held: as those that wait for a repository. */
export class GeneratedDisk implements NbdExport {
	readonly name: string;
	readonly description = 'a disk of the self test';
	readonly metaContexts = ['base:allocation'];
	readonly bytes: Buffer;
	/** Whether these bytes are of those whose reads count. */
	readonly #counts: (offset: number, length: number) => boolean;
	#waiting: Set<Held> | undefined;
	/** Reads that were answered, of those that count. */
	answered = 0;
	/** Reads that had to wait, ever. */
	held = 0;

	constructor(name: string, bytes: Buffer, counts: (offset: number, length: number) => boolean) {
		this.name = name;
		this.bytes = bytes;
		this.#counts = counts;
	}

	get sizeBytes(): number {
		return this.bytes.length;
	}

	hold(): void {
		this.#waiting ??= new Set();
	}

	release(): void {
		const waiting = this.#waiting;
		this.#waiting = undefined;
		for (const { offset, length, done } of waiting ?? []) done(this.#answer(offset, length));
	}

	readNow(into: Buffer, at: number, offset: number, length: number): ReadNow {
		if (this.#waiting) return 'later';
		this.#answer(offset, length).copy(into, at);
		return 'data';
	}

	readLater(offset: number, length: number, done: Held['done']): Pending {
		const waiting = this.#waiting;
		if (waiting === undefined) {
			done(this.#answer(offset, length));
			return { cancel() {} };
		}
		const held: Held = { offset, length, done };
		this.held += 1;
		waiting.add(held);
		return { cancel: () => void waiting.delete(held) };
	}

	blockStatus(
		contexts: readonly string[],
		{ length }: { length: number },
		done: (result: Extent[][] | NbdFailure) => void,
	): Pending {
		done(contexts.map(() => [{ length, flags: 0 }]));
		return { cancel() {} };
	}

	willNeed(): void {}

	#answer(offset: number, length: number): Buffer {
		if (this.#counts(offset, length)) this.answered += 1;
		return Buffer.from(this.bytes.subarray(offset, offset + length));
	}
}
