import type { ChunkRef } from '../../model/chunk.ts';
import { isBefore, journalFrameBytes, type JournalPlace, type JournalRun, placeBehind } from '../format/journal.ts';
import { limits } from '../format/limits.ts';
import { JournalBatch } from './journal-batch.ts';

/** What a journal is still to tell: chunks in their order, and which of them wait for packs. */
export class JournalQueue {
	readonly #chunkCounts: readonly number[];
	readonly #batches: JournalBatch[] = [];
	#next: JournalPlace;

	constructor(chunkCounts: readonly number[], begins: JournalPlace) {
		this.#chunkCounts = chunkCounts;
		this.#next = begins;
	}

	/** In objects, from the first chunk on whose pack is not in the store. */
	get waitingBytes(): number {
		const first = this.#batches.findIndex(({ waitsFor }) => waitsFor !== undefined);
		return first < 0 ? 0 : this.#batches.slice(first).reduce((sum, { bytes }) => sum + bytes, 0);
	}

	/** `openPack`: the reference's pack, when it is not in the store yet. What lies before the queue's beginning is passed over. */
	add(place: JournalPlace, ref: ChunkRef, openPack: string | undefined): void {
		if (isBefore(place, this.#next)) return;
		this.fillTo(place);
		this.#batchFor(openPack).add(place, ref);
		this.#next = placeBehind(place, 1, this.#chunkCounts);
	}

	/** So many chunks from there on are as on this disk of the base. */
	addBase(place: JournalPlace, count: number, baseDisk: number): void {
		const { disk, chunk } = this.#next;
		if (disk > place.disk) return;
		const passed = disk === place.disk ? Math.max(0, chunk - place.chunk) : 0;
		if (passed >= count) return;
		const from = { disk: place.disk, chunk: place.chunk + passed };
		this.fillTo(from);
		this.#batchFor(undefined).addBase(from, count - passed, baseDisk);
		this.#next = placeBehind(from, count - passed, this.#chunkCounts);
	}

	/** All up to there that was not added is zero. */
	fillTo(place: JournalPlace): void {
		while (isBefore(this.#next, place)) {
			const { disk, chunk } = this.#next;
			const end = disk < place.disk ? (this.#chunkCounts[disk] ?? 0) : place.chunk;
			this.#batchFor(undefined).addZeros(this.#next, end - chunk);
			this.#next = placeBehind(this.#next, end - chunk, this.#chunkCounts);
		}
	}

	packStored(packId: string): void {
		for (const batch of this.#batches) if (batch.waitsFor === packId) batch.waitsFor = undefined;
	}

	/** Of what {@link take} would give. */
	get ready(): { references: number; bytes: number } {
		const sum = { references: 0, bytes: 0 };
		for (const { references, bytes } of this.#batches.slice(0, this.#readyBatches())) {
			sum.references += references;
			sum.bytes += bytes;
		}
		return sum;
	}

	/** What can be told now, as much of it as one object holds; it is out of the queue then. */
	take(): JournalRun[] {
		return this.#batches.splice(0, this.#readyBatches()).flatMap(batch => batch.runs());
	}

	#readyBatches(): number {
		let bytes = journalFrameBytes;
		const end = this.#batches.findIndex(batch => {
			bytes += batch.bytes;
			return batch.waitsFor !== undefined || bytes > limits.journalBytes;
		});
		return end < 0 ? this.#batches.length : end;
	}

	/** The one that the next chunk belongs to. A pack that is waited for already makes no new one. */
	#batchFor(openPack: string | undefined): JournalBatch {
		const last = this.#batches.at(-1);
		const isNew = openPack !== undefined && this.#batches.every(({ waitsFor }) => waitsFor !== openPack);
		if (last?.hasRoom === true && isNew && last.references === 0) last.waitsFor ??= openPack; // no object for zeros alone
		if (last?.hasRoom === true && (!isNew || last.waitsFor === openPack)) return last;
		const batch = new JournalBatch(isNew ? openPack : undefined);
		this.#batches.push(batch);
		return batch;
	}
}
