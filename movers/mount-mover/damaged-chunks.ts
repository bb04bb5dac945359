import { RouseError } from '../../model/errors.ts';
import { pageEntries } from '../../repository/format/page-map.ts';
import type { BadChunk } from '../config.ts';

/** What of one disk is known to be damaged: it is not asked for again before somebody says that it was repaired. */
export class DamagedChunks {
	readonly #disk: string;
	readonly #chunks = new Map<number, RouseError>();
	/** By first chunk: all that a page describes cannot be found. */
	readonly #pages = new Map<number, RouseError>();

	constructor(disk: string) {
		this.#disk = disk;
	}

	get(index: number): RouseError | undefined {
		if (this.#chunks.size === 0 && this.#pages.size === 0) return undefined;
		return this.#chunks.get(index) ?? this.#pages.get(index - (index % pageEntries));
	}

	addChunk(index: number, error: RouseError): void {
		this.#chunks.set(index, error);
	}

	addPage(firstIndex: number, error: RouseError): void {
		this.#pages.set(firstIndex, error);
	}

	forget(): void {
		this.#chunks.clear();
		this.#pages.clear();
	}

	list(): BadChunk[] {
		return [...this.#chunks, ...this.#pages].map(([index, { details }]) => ({
			disk: this.#disk,
			index,
			digest: String(details?.['digest'] ?? unknownDigest),
			packId: String(details?.['packId'] ?? ''),
		}));
	}
}

/** For damage that names no digest: a page that is no page, though its bytes matched. */
const unknownDigest = '0'.repeat(64);
