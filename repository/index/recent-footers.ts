import type { ChunkRef } from '../../model/chunk.ts';
import { digestBytes } from '../format/digest.ts';
import { type PackEntries, packEntryBytes } from '../format/pack.ts';
import { ChunkTable } from './chunk-table.ts';

/** Chunks of the footers kept, in two halves: 128 packs of a thousand, some 8 MB. */
const maxChunks = 131_072;

interface Half {
	chunks: ChunkTable;
	packIds: Set<string>;
}

/**
 * Chunks of the footers that were read lately: what lies beside a chunk that is known is mostly asked for next. When the
 * newer half is full the older one is forgotten.
 */
export class RecentFooters {
	#newer: Half = { chunks: new ChunkTable(), packIds: new Set() };
	#older: Half = { chunks: new ChunkTable(), packIds: new Set() };

	/** A place of the digest that is `accepted`. */
	find(digest: Buffer, accepted: (ref: ChunkRef) => boolean): ChunkRef | undefined {
		return this.#newer.chunks.find(digest, accepted) ?? this.#older.chunks.find(digest, accepted);
	}

	has(packId: string): boolean {
		return this.#newer.packIds.has(packId) || this.#older.packIds.has(packId);
	}

	add({ packId, count, entries }: PackEntries): void {
		if (this.#newer.packIds.has(packId)) return;
		if (this.#newer.packIds.size > 0 && this.#newer.chunks.count + count > maxChunks / 2) {
			this.#older = this.#newer;
			this.#newer = { chunks: new ChunkTable(), packIds: new Set() };
		}
		this.#newer.packIds.add(packId);
		let offsetBytes = 0;
		for (let at = 0; at < entries.length; at += packEntryBytes) {
			const storedBytes = entries.readUInt32LE(at + digestBytes);
			this.#newer.chunks.add(entries, { packId, offsetBytes, storedBytes }, at);
			offsetBytes += storedBytes;
		}
	}
}
