import type { ChunkRef, DiskImage } from '../../model/chunk.ts';
import { ContentDigester } from '../content-digester.ts';
import type { Page } from '../format/page.ts';
import { chunkRawBytes, entriesOfPage, pageEntries, type PageMap } from '../format/page-map.ts';
import { PageTreeWriter, type StorePage } from './page-tree-writer.ts';

/** What a manifest says of a disk, from its chunks in ascending order; what is left out is zero. */
export class DiskDraft {
	readonly #map: PageMap;
	readonly #frameSizeBytes: number;
	readonly #tree: PageTreeWriter;
	readonly #content: ContentDigester;
	#dataBytes = 0;

	constructor(map: PageMap, frameSizeBytes: number, store: StorePage) {
		this.#map = map;
		this.#frameSizeBytes = frameSizeBytes;
		this.#tree = new PageTreeWriter(map, store);
		this.#content = new ContentDigester({ ...map, frameSizeBytes });
	}

	async add(index: number, ref: ChunkRef): Promise<void> {
		await this.#tree.add(index, ref);
		this.#content.add(index, ref.digest);
		this.#dataBytes += chunkRawBytes(this.#map, index);
	}

	/** Chunks that stand at these places of a leaf. A leaf that is taken as a whole is not taken apart; it must not change. */
	async addOfPage(page: Page, firstIndex: number, count: number): Promise<void> {
		const number = Math.floor(firstIndex / pageEntries);
		const dataBytes = this.#dataBytesOf(page, firstIndex, count);
		if (dataBytes > 0 && count === entriesOfPage(this.#map, 0, number)) {
			await this.#tree.addLeaf(number, page.bytes);
			this.#content.addLeaf(number, page.bytes);
			this.#dataBytes += dataBytes;
			return;
		}
		for (let index = firstIndex; index < firstIndex + count; index++) {
			const entry = page.entry(index % pageEntries);
			if (entry !== 'zero') await this.add(index, entry);
		}
	}

	#dataBytesOf(page: Page, firstIndex: number, count: number): number {
		let dataBytes = 0;
		for (let index = firstIndex; index < firstIndex + count; index++)
			if (!page.isZero(index % pageEntries)) dataBytes += chunkRawBytes(this.#map, index);
		return dataBytes;
	}

	/** Nothing may be added afterwards. */
	async finish(): Promise<DiskImage> {
		const { sizeBytes, chunkSizeBytes } = this.#map;
		const root = await this.#tree.finish();
		const figures = { contentDigest: this.#content.finish(), dataBytes: this.#dataBytes };
		return { sizeBytes, chunkSizeBytes, frameSizeBytes: this.#frameSizeBytes, ...figures, ...(root ? { root } : {}) };
	}
}
