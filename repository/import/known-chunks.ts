import type { ChunkRef } from '../../model/chunk.ts';
import type { BadPlaces } from '../bad-places.ts';
import type { IndexedChunks } from '../index/indexed-chunks.ts';
import { lookAtPlace } from '../look-at-place.ts';
import type { Store } from '../store/contract.ts';
import { hasHeader } from '../expect-header.ts';
import type { BasePoint } from './base-point.ts';
import type { ChunkPosition, KnownChunks } from './chunk-storer.ts';
import { FooterConfirmer } from './footer-confirmer.ts';

interface Sources {
	base: BasePoint;
	indexed: IndexedChunks;
	bad: BadPlaces;
	signal?: AbortSignal | undefined;
}

/** What a repository holds: docs/format.md, "An import", says when a chunk is known. */
export class RepositoryChunks implements KnownChunks {
	readonly #sources: Sources;
	readonly #confirmer: FooterConfirmer;

	constructor(sources: Sources) {
		const { indexed, bad, signal } = sources;
		this.#sources = sources;
		this.#confirmer = new FooterConfirmer(packId => indexed.footerOf(packId, signal), bad);
	}

	async inBase(digest: Buffer, position: ChunkPosition): Promise<ChunkRef | undefined> {
		const { base, signal } = this.#sources;
		const ref = await base.find(digest, position, signal);
		return ref !== undefined && (await this.isUsable(ref)) ? ref : undefined;
	}

	async anywhere(digest: Buffer): Promise<ChunkRef | undefined> {
		const { indexed, bad, signal } = this.#sources;
		return indexed.find(digest, ref => !bad.has(ref), signal);
	}

	/** Whether its pack's footer says the same, and nobody has found its place bad. */
	async isUsable(ref: ChunkRef): Promise<boolean> {
		const { indexed, bad, signal } = this.#sources;
		return !bad.has(ref) && (await indexed.confirms(ref, signal));
	}

	/** Of some entries of a page those that are not {@link isUsable}, in order. */
	async unusableIn(page: Buffer, from: number, to: number): Promise<number[]> {
		return this.#confirmer.unusableIn(page, from, to);
	}
}

/**
 * Pages that are known are read again before they are relied on: one bad page hides a thousand chunks. At their places alone: what
 * looks for one elsewhere asks all packs of the repository, and a page that is lost is made anew here.
 */
export class ReadPages implements KnownChunks {
	readonly #known: KnownChunks;
	readonly #store: Store;
	readonly #bad: BadPlaces;
	readonly #signal: AbortSignal | undefined;

	constructor(known: KnownChunks, { store, bad, signal }: { store: Store; bad: BadPlaces; signal?: AbortSignal }) {
		this.#known = known;
		this.#store = store;
		this.#bad = bad;
		this.#signal = signal;
	}

	async inBase(digest: Buffer, position: ChunkPosition, rawBytes: number): Promise<ChunkRef | undefined> {
		return this.#ifGood(await this.#known.inBase(digest, position, rawBytes));
	}

	async anywhere(digest: Buffer, rawBytes: number): Promise<ChunkRef | undefined> {
		return this.#ifGood(await this.#known.anywhere(digest, rawBytes));
	}

	async #ifGood(ref: ChunkRef | undefined): Promise<ChunkRef | undefined> {
		if (ref === undefined) return undefined;
		const look = async () => lookAtPlace(this.#store, ref, 'page', this.#signal);
		const first = await look();
		const last = first.found === 'wrong' ? await look() : first;
		// A store that is away as a whole marks nothing.
		if (last.found === 'wrong' && (await hasHeader(this.#store, this.#signal)).there)
			await this.#bad.mark(ref, last.damage.message);
		return last.found === 'right' ? ref : undefined;
	}
}
