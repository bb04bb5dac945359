import type { ChunkRef } from '../../model/chunk.ts';
import type { PackFooter } from '../format/pack.ts';
import { ChunkTable } from '../import/chunk-table.ts';

/** Chunks that the packs' footers tell of. */
export class IndexedChunks {
	readonly #table = new ChunkTable();

	addFooter({ packId, chunks }: PackFooter): void {
		for (const { digest, ...place } of chunks) this.#table.add(Buffer.from(digest, 'hex'), { packId, ...place });
	}

	/** Whether the footer of its pack says the same; false for a pack that is not there, or whose footer is damaged. */
	async confirms(ref: ChunkRef, _signal?: AbortSignal): Promise<boolean> {
		const known = this.#table.find(Buffer.from(ref.digest, 'hex'));
		return known?.packId === ref.packId && known.offsetBytes === ref.offsetBytes;
	}

	/** A place of this digest that `usable` lets pass, confirmed by the pack's footer. */
	async find(digest: Buffer, usable: (ref: ChunkRef) => boolean, _signal?: AbortSignal): Promise<ChunkRef | undefined> {
		const ref = this.#table.find(digest);
		return ref !== undefined && usable(ref) ? ref : undefined;
	}
}
