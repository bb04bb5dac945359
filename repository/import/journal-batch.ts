import type { ChunkRef } from '../../model/chunk.ts';
import { journalFrameBytes, type JournalPlace, type JournalRun, runHeadBytes } from '../format/journal.ts';
import { limits } from '../format/limits.ts';
import { chunkRefBytes, encodeChunkRef } from '../format/reference.ts';

interface Run {
	disk: number;
	firstChunk: number;
	count: number;
	/** `zero`, or as on this disk of the base. */
	as: 'references' | 'zero' | number;
}

/** Chunks behind each other that become tellable at once, in the form in which they are written: 56 bytes for each. */
export class JournalBatch {
	/** A pack that is not in the store yet, and that no batch before this one waits for. */
	waitsFor: string | undefined;
	references = 0;
	readonly #runs: Run[] = [];
	#refs = Buffer.alloc(64 * chunkRefBytes);

	constructor(waitsFor: string | undefined) {
		this.waitsFor = waitsFor;
	}

	/** In an object. */
	get bytes(): number {
		return this.#runs.length * runHeadBytes + this.references * chunkRefBytes;
	}

	/** Whether an object can hold one chunk, or run of others, more. */
	get hasRoom(): boolean {
		return journalFrameBytes + this.bytes + runHeadBytes + chunkRefBytes <= limits.journalBytes;
	}

	addZeros({ disk, chunk }: JournalPlace, count: number): void {
		this.#extend({ disk, firstChunk: chunk, count, as: 'zero' });
	}

	addBase({ disk, chunk }: JournalPlace, count: number, baseDisk: number): void {
		this.#extend({ disk, firstChunk: chunk, count, as: baseDisk });
	}

	add({ disk, chunk }: JournalPlace, ref: ChunkRef): void {
		this.#extend({ disk, firstChunk: chunk, count: 1, as: 'references' });
		const at = this.references * chunkRefBytes;
		if (at === this.#refs.length) this.#refs = Buffer.concat([this.#refs], at * 2);
		encodeChunkRef(ref, this.#refs, at);
		this.references++;
	}

	#extend(run: Run): void {
		const last = this.#runs.at(-1);
		if (last?.as === run.as && last.disk === run.disk) last.count += run.count;
		else this.#runs.push(run);
	}

	/** Their references are this batch's own bytes: nothing may be added any more. */
	runs(): JournalRun[] {
		let at = 0;
		return this.#runs.map(({ disk, firstChunk, count, as }) => {
			if (as === 'zero') return { disk, firstChunk, count, refs: undefined };
			if (as !== 'references') return { disk, firstChunk, count, refs: undefined, baseDisk: as };
			const refs = this.#refs.subarray(at, at + count * chunkRefBytes);
			at += refs.length;
			return { disk, firstChunk, count, refs };
		});
	}
}
