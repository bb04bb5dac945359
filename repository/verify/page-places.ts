import type { ChunkRef } from '../../model/chunk.ts';
import { RouseError } from '../../model/errors.ts';
import type { ChunkDamage } from '../damage.ts';
import { decodeChunk } from '../format/chunk.ts';
import type { PackFooter } from '../format/pack.ts';
import { ChunkTable } from '../index/chunk-table.ts';
import { lookAtPlace } from '../look-at-place.ts';
import type { Store } from '../store/contract.ts';
import { expectHeader } from '../expect-header.ts';
import type { VerifiedChunks } from '../verified-chunks.ts';
import type { Suspects } from './suspects.ts';

/** Pages remembered, some 16 MB: 32 TiB of disks. */
const maxPages = 262_144;

interface Sources {
	repository: { store: Store };
	/** Asked where there are too many pages to be remembered. */
	chunks: VerifiedChunks;
	suspects: Suspects;
	signal?: AbortSignal | undefined;
}

/**
 * Where the footers say that pages are, noted when packs are read: with a pack of them many are lost, and whoever looks for one
 * elsewhere asks all packs.
 */
export class PagePlaces {
	readonly #table = new ChunkTable();
	readonly #max: number;
	#isWhole = true;

	constructor(max = maxPages) {
		this.#max = max;
	}

	add({ packId, kind, chunks }: PackFooter): void {
		if (kind !== 'page' || !this.#isWhole) return;
		this.#isWhole = this.#table.count + chunks.length <= this.#max;
		if (!this.#isWhole) return;
		for (const { digest, ...place } of chunks) this.#table.add(Buffer.from(digest, 'hex'), { packId, ...place });
	}

	/** A page from any place that holds it; damage is thrown, and what lies nowhere is a suspect: it may have been stored since. */
	async read(
		{ repository: { store }, chunks, suspects, signal }: Sources,
		ref: ChunkRef,
		rawBytes: number,
	): Promise<Buffer> {
		if (!this.#isWhole) return chunks.fetchOne({ ref, rawBytes, kind: 'page' }, { class: 'migration', signal });
		let damage: ChunkDamage | undefined;
		const found = suspects.elsewhere(ref.digest);
		for (const place of [ref, ...this.#placesOf(ref.digest), ...(found ? [found] : [])]) {
			const first = await lookAtPlace(store, place, 'page', signal);
			const look = first.found === 'wrong' ? await lookAtPlace(store, place, 'page', signal) : first;
			if (look.found === 'right') return decodeChunk(ref, look.stored, rawBytes, 'page');
			if (look.found === 'wrong') damage ??= look.damage;
		}
		await expectHeader(store, signal);
		suspects.add(ref);
		throw damage ?? missing(ref);
	}

	#placesOf(digest: string): ChunkRef[] {
		const places: ChunkRef[] = [];
		this.#table.find(Buffer.from(digest, 'hex'), place => {
			places.push(place);
			return false;
		});
		return places;
	}
}

function missing({ digest, packId, offsetBytes }: ChunkRef): RouseError {
	return new RouseError(
		'chunk_missing',
		`page ${digest} is not in pack ${packId} at ${offsetBytes}, nor in any other`,
		{
			hint: 'put the pack back from a copy of the repository',
			details: { digest, packId, offsetBytes },
		},
	);
}
