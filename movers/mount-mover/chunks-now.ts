import { setImmediate } from 'node:timers/promises';
import { openChunk } from '../../repository/format/chunk.ts';
import type { WantedChunk } from '../../repository/verified-chunks.ts';
import type { Clock } from '../../system/clock.ts';
import { CachedChunk } from './cached-chunk.ts';
import type { ChunkBuffers } from './chunk-buffers.ts';
import type { OpenSource } from './open-chunks.ts';
import { ReadSpeed } from './read-speed.ts';

/** Read in one turn of the event loop; then what they answer leaves, and others have their turn. */
const eachTurn = 4;

/**
 * The quickest way to a few chunks that lie apart: each is read within a call, which out of the cache of the host takes less than
 * asking somebody else to do it. Only as long as that is so (read-speed.ts): nothing else happens meanwhile.
 */
export class ChunksNow {
	readonly #source: OpenSource;
	readonly #buffers: ChunkBuffers;
	readonly #speed: ReadSpeed;

	constructor(source: OpenSource, buffers: ChunkBuffers, clock: Pick<Clock, 'now'>) {
		this.#source = source;
		this.#buffers = buffers;
		this.#speed = new ReadSpeed(clock);
	}

	/** Returns those that are to be had another way. Reads the first ones before it returns. */
	async read<W extends WantedChunk & { doubtful?: boolean }>(
		wanted: readonly W[],
		signal: AbortSignal,
		arrived: (wanted: W, chunk: CachedChunk, stored: Buffer) => void,
	): Promise<readonly W[]> {
		if (!lieApart(wanted)) return wanted;
		const left: W[] = [];
		let inTurn = 0;
		for (const want of wanted) {
			if (inTurn === eachTurn) {
				await setImmediate();
				inTurn = 0;
			}
			const chunk = want.doubtful || signal.aborted ? undefined : this.#read(want);
			if (chunk === undefined) {
				left.push(want);
				continue;
			}
			inTurn += 1;
			arrived(want, chunk, chunk.stored ?? Buffer.alloc(0));
		}
		return left;
	}

	#read({ ref, rawBytes, kind }: WantedChunk): CachedChunk | undefined {
		if (!this.#speed.begin()) return undefined;
		const buffer = this.#buffers.take(ref.storedBytes);
		const stored = buffer.subarray(0, ref.storedBytes);
		try {
			const isThere = this.#source.readNow?.(ref, stored) === true;
			this.#speed.end(stored.length);
			if (isThere) return CachedChunk.opened(this.#buffers, openChunk(ref, stored, rawBytes, kind), buffer);
		} catch {
			// Not the chunk: the other ways tell.
		}
		this.#buffers.giveBack(buffer);
		return undefined;
	}
}

/** Neighbours are had with one large read. */
function lieApart(wanted: readonly WantedChunk[]): boolean {
	let neighbours = 0;
	for (const [number, { ref }] of wanted.entries()) {
		const before = wanted[number - 1]?.ref;
		if (before?.packId === ref.packId && before.offsetBytes + before.storedBytes === ref.offsetBytes) neighbours += 1;
	}
	return neighbours * 2 < wanted.length;
}
