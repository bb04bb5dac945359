import type { ChunkRef } from '../../model/chunk.ts';
import type { ChunkClass, ChunkSource, StoredChunk } from '../../repository/chunk-source.ts';
import { storedChunk } from './stored-chunk.ts';

export interface FetchCall {
	/** Numbers of the chunks asked for. */
	chunks: number[];
	locate: boolean;
}

/** A source of small chunks, numbered, that fails and waits as the test says. */
export class ScriptedSource implements ChunkSource {
	readonly calls: FetchCall[] = [];
	/** Of each call. */
	readonly classes: ChunkClass[] = [];
	readonly #stored = new Map<string, { number: number; bytes: Buffer }>();
	/** Thrown, one for each call, before the call answers anything. */
	readonly failures: Error[] = [];
	/** Chunks whose bytes are wrong where their references point, and those that are wrong everywhere. */
	readonly misplaced = new Set<number>();
	readonly damaged = new Set<number>();
	/** While set, calls wait for it. */
	gate: Promise<void> | undefined;
	/** The same for calls of the class `ahead`, and for what follows the first chunk of an answer. */
	aheadGate: Promise<void> | undefined;
	afterFirst: Promise<void> | undefined;

	async add(number: number): Promise<{ key: number; ref: ChunkRef; rawBytes: number; bytes: Buffer }> {
		const bytes = Buffer.alloc(4096, `chunk ${number} `);
		const { digest, stored } = await storedChunk(bytes);
		this.#stored.set(digest, { number, bytes: stored });
		const ref = { digest, packId: '0'.repeat(32), offsetBytes: number, storedBytes: stored.length };
		return { key: number, ref, rawBytes: bytes.length, bytes };
	}

	async *fetch(
		refs: readonly ChunkRef[],
		{ class: of, locate = false }: { class: ChunkClass; locate?: boolean },
	): AsyncGenerator<StoredChunk> {
		this.classes.push(of);
		this.calls.push({ chunks: refs.map(ref => this.#of(ref).number), locate });
		await this.gate;
		if (of === 'ahead') await this.aheadGate;
		const failure = this.failures.shift();
		if (failure) throw failure;
		for (const ref of refs) {
			const { number, bytes } = this.#of(ref);
			const wrong = this.damaged.has(number) || (this.misplaced.has(number) && !locate);
			yield { ref, stored: wrong ? Buffer.alloc(bytes.length, 1) : bytes };
			await this.afterFirst;
		}
	}

	async close(): Promise<void> {}

	#of({ digest }: ChunkRef): { number: number; bytes: Buffer } {
		const stored = this.#stored.get(digest);
		if (stored === undefined) throw new Error(`nobody added ${digest}`);
		return stored;
	}
}
