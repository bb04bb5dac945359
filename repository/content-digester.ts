import type { DiskImage } from '../model/chunk.ts';
import { digestBytes } from './format/digest.ts';
import { chunkRefBytes } from './format/reference.ts';
import { diskContentDigest, pageContent, zeroContent } from './format/content-digest.ts';
import { entriesOfPage, pageEntries, type PageMap, pageMapOf } from './format/page-map.ts';

type DiskShape = Pick<DiskImage, 'sizeBytes' | 'chunkSizeBytes' | 'frameSizeBytes'>;

/**
 * Content digest of a disk from its chunks' digests in ascending order; what is left out is zero. One page of each level
 * is in memory.
 */
export class ContentDigester {
	readonly #disk: DiskShape;
	readonly #map: PageMap;
	readonly #open: ({ number: number; contents: Buffer } | undefined)[] = [];
	#root = zeroContent;

	constructor(disk: DiskShape) {
		this.#disk = disk;
		this.#map = pageMapOf(disk);
	}

	add(index: number, digest: string): void {
		this.#add(0, index, Buffer.from(digest, 'hex'));
	}

	/** All chunks of a leaf of the page map, by its page. */
	addLeaf(number: number, page: Buffer): void {
		if (this.#open[0]?.number !== number) this.#close(0);
		const contents = Buffer.alloc(entriesOfPage(this.#map, 0, number) * zeroContent.length);
		for (let entry = 0; entry * chunkRefBytes < page.length; entry++)
			page.copy(contents, entry * zeroContent.length, entry * chunkRefBytes, entry * chunkRefBytes + digestBytes);
		this.#open[0] = { number, contents };
	}

	/** Nothing may be added afterwards. */
	finish(): string {
		for (let level = 0; level < this.#map.levels.length; level++) this.#close(level);
		return diskContentDigest(this.#disk, this.#root);
	}

	#add(level: number, index: number, content: Buffer): void {
		const number = Math.floor(index / pageEntries);
		if (this.#open[level]?.number !== number) this.#close(level);
		const page = (this.#open[level] ??= {
			number,
			contents: Buffer.alloc(entriesOfPage(this.#map, level, number) * zeroContent.length),
		});
		content.copy(page.contents, (index % pageEntries) * zeroContent.length);
	}

	#close(level: number): void {
		const page = this.#open[level];
		if (page === undefined) return;
		this.#open[level] = undefined;
		const content = pageContent(page.contents);
		if (level === this.#map.levels.length - 1) this.#root = content;
		else this.#add(level + 1, page.number, content);
	}
}
