import type { ListedBlocks } from './block-list.ts';

/** Pages that are kept: those of the extents, which reads follow at a short distance, and some that were listed for reads. */
const mostPages = 6;

interface Page {
	listed: ListedBlocks;
	/** A block of the stretch that is not in it is zero. In a list of changes nothing is said of it. */
	isWhole: boolean;
}

/** Lists the blocks of the snapshot itself from one on: the first page. */
export type ListFrom = (index: number, signal: AbortSignal) => Promise<ListedBlocks>;

/**
 * By which tokens the blocks of a snapshot are read. They come with the lists of blocks and are valid for 7 days; of a block whose
 * token is not at hand, or not taken any more, it is listed again from there on. Memory is bounded by pages.
 */
export class BlockTokens {
	readonly #listFrom: ListFrom;
	#pages: Page[] = [];
	/** One list at a time: what it brings is what the others wait for. */
	#last: Promise<unknown> = Promise.resolve();

	constructor(listFrom: ListFrom) {
		this.#listFrom = listFrom;
	}

	/** What was listed anyway. */
	note(listed: ListedBlocks, isWhole: boolean): void {
		this.#pages.push({ listed, isWhole });
		if (this.#pages.length > mostPages) this.#pages.shift();
	}

	/** Null: the block is all zeros. Throws what listing throws. */
	async of(index: number, signal: AbortSignal): Promise<string | null> {
		for (;;) {
			const known = this.#find(index);
			if (known !== undefined) return known;
			await this.#list(index, signal);
		}
	}

	/** In place of one that was refused: with it go all that came with it, which are as old. */
	async another(index: number, refused: string, signal: AbortSignal): Promise<string | null> {
		this.#pages = this.#pages.filter(({ listed }) => listed.tokens.get(index) !== refused);
		return this.of(index, signal);
	}

	#find(index: number): string | null | undefined {
		for (const { listed, isWhole } of this.#pages.toReversed()) {
			if (index < listed.from || index >= listed.to) continue;
			const token = listed.tokens.get(index);
			if (token !== undefined) return token;
			if (isWhole) return null;
		}
		return undefined;
	}

	async #list(index: number, signal: AbortSignal): Promise<void> {
		const list = this.#last.then(() => this.#listUnlessKnown(index, signal));
		this.#last = list.catch(() => {}); // for who waits for it
		await list;
	}

	async #listUnlessKnown(index: number, signal: AbortSignal): Promise<void> {
		if (this.#find(index) === undefined) this.note(await this.#listFrom(index, signal), true);
	}
}
