import type { Extent } from './export.ts';

const maxExtents = 4096;

/** Runs of one status, merged as they are added. */
export class ExtentList {
	readonly extents: Extent[] = [];
	readonly #limit: number;

	constructor(single: boolean) {
		this.#limit = single ? 1 : maxExtents;
	}

	/** False, and nothing added, when it would take one run too many. */
	add(length: number, flags: number): boolean {
		const last = this.extents.at(-1);
		if (last?.flags === flags) last.length += length;
		else if (this.extents.length === this.#limit) return false;
		else this.extents.push({ length, flags });
		return true;
	}
}
