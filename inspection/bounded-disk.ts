import { formatBytes } from '../model/format-bytes.ts';
import { mustLieInside, unreadable, type Volume } from './volume.ts';

/** What of a disk's source is used here. */
export interface ReadableDisk {
	readonly sizeBytes: number;
	/** `sequential`: it is not to be read here and there. */
	readonly access?: 'random' | 'sequential' | undefined;
	read(offsetBytes: number, into: Buffer, signal: AbortSignal): Promise<void>;
}

/** How much may be read from all disks together: what is on them was made by somebody else. */
export class Allowance {
	/** Aborted from outside, or when it is used up, with `source_invalid`: then no other look has any use. */
	readonly signal: AbortSignal;
	readonly #usedUp = new AbortController();
	readonly #bytes: number;
	#spentBytes = 0;

	constructor(bytes: number, signal: AbortSignal) {
		this.#bytes = bytes;
		this.signal = AbortSignal.any([signal, this.#usedUp.signal]);
	}

	/** Throws the signal's reason. */
	spend(bytes: number): void {
		this.#spentBytes += bytes;
		if (this.#spentBytes > this.#bytes)
			this.#usedUp.abort(unreadable(`more than ${formatBytes(this.#bytes)} would have to be read`));
		this.signal.throwIfAborted();
	}
}

const pageBytes = 64 * 1024;
/** 4 MiB of memory a disk: inodes, directories and maps lie near each other. */
const mostPages = 64;

/** A disk of which small reads are kept by pages, and every read counts against the allowance. */
export function boundedDisk(disk: ReadableDisk, name: string, allowance: Allowance): Volume {
	const pages = new Map<number, Buffer>();
	const { sizeBytes } = disk;

	async function fetch(atBytes: number, lengthBytes: number): Promise<Buffer> {
		allowance.spend(lengthBytes);
		const bytes = Buffer.alloc(lengthBytes);
		if (lengthBytes > 0) await disk.read(atBytes, bytes, allowance.signal);
		return bytes;
	}

	async function page(number: number): Promise<Buffer> {
		const at = number * pageBytes;
		const bytes = pages.get(number) ?? (await fetch(at, Math.min(pageBytes, sizeBytes - at)));
		// The last used is the last in the map's order.
		pages.delete(number);
		pages.set(number, bytes);
		for (const oldest of pages.keys()) {
			if (pages.size <= mostPages) break;
			pages.delete(oldest);
		}
		return bytes;
	}

	return {
		name,
		sizeBytes,
		read: async (atBytes, lengthBytes) => {
			mustLieInside({ name, sizeBytes }, atBytes, lengthBytes);
			allowance.signal.throwIfAborted();
			if (lengthBytes >= pageBytes) return await fetch(atBytes, lengthBytes);
			const first = Math.floor(atBytes / pageBytes);
			const within = atBytes - first * pageBytes;
			if (within + lengthBytes <= pageBytes) return (await page(first)).subarray(within, within + lengthBytes);
			const both = Buffer.concat([await page(first), await page(first + 1)]);
			return both.subarray(within, within + lengthBytes);
		},
	};
}
