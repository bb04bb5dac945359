import type { ChunkRef } from '../../model/chunk.ts';
import { keys } from '../format/keys.ts';
import type { PackFooter } from '../format/pack.ts';
import { lostBytes } from '../damage.ts';
import { lookAtPlace } from '../look-at-place.ts';
import { readPackFooter } from '../pack-footers.ts';
import type { Verification } from './verification.ts';

/** Chunks of the footers kept, some 50 MB; a single footer is kept whatever its length. */
const maxKeptChunks = 262_144;

/** By offset. Undefined when its pack has no footer that can be used, null when there is no pack. */
type Footer = ReadonlyMap<number, PackFooter['chunks'][number]> | undefined | null;

/** Asks of references whether the footer of their pack has them. */
export class FooterPlaces {
	readonly #work: Verification;
	/** Least recently used first. */
	readonly #footers = new Map<string, Footer>();
	#kept = 0;

	constructor(work: Verification) {
		this.#work = work;
	}

	/** What a reference says, and no footer confirms, is a suspect; where there is no footer the place itself is looked at. */
	async confirm(ref: ChunkRef): Promise<void> {
		const { repository, suspects, signal } = this.#work;
		if (await this.isNamed(ref)) return;
		// That the place is bad is found by whoever reads the chunk: here it is only asked whether it can be had.
		if (this.#footers.get(ref.packId) === undefined) {
			const { found } = await lookAtPlace(repository.store, ref, 'chunk', signal);
			if (found === 'right') return;
		}
		suspects.add(ref);
	}

	async isNamed({ packId, offsetBytes, digest, storedBytes }: ChunkRef): Promise<boolean> {
		const named = (await this.#footer(packId))?.get(offsetBytes);
		return named?.digest === digest && named.storedBytes === storedBytes;
	}

	/** Whether the pack is there and its footer cannot be read: then nothing can be said of its places. */
	async isUnreadable(packId: string): Promise<boolean> {
		return (await this.#footer(packId)) === undefined;
	}

	/** Chunks in a pack; undefined where that cannot be said. */
	async countOf(packId: string): Promise<number | undefined> {
		return (await this.#footer(packId))?.size;
	}

	async #footer(packId: string): Promise<Footer> {
		const kept = this.#footers.get(packId);
		const footer = this.#footers.has(packId) ? kept : await this.#read(packId);
		this.#forget(packId);
		this.#footers.set(packId, footer);
		this.#kept += footer?.size ?? 0;
		for (const oldest of this.#footers.keys()) {
			if (this.#kept + this.#footers.size <= maxKeptChunks || oldest === packId) break;
			this.#forget(oldest);
		}
		return footer;
	}

	async #read(packId: string): Promise<Footer> {
		const { repository, signal } = this.#work;
		try {
			const sizeBytes = await repository.store.size(keys.pack(packId), signal);
			if (sizeBytes === undefined) return null;
			const footer = await readPackFooter(repository.store, { packId, sizeBytes }, signal);
			return footer ? new Map(footer.chunks.map(chunk => [chunk.offsetBytes, chunk])) : null;
		} catch (error) {
			lostBytes(error);
			return undefined;
		}
	}

	#forget(packId: string): void {
		this.#kept -= this.#footers.get(packId)?.size ?? 0;
		this.#footers.delete(packId);
	}
}
