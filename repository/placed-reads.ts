import type { ChunkRef } from '../model/chunk.ts';
import { RouseError } from '../model/errors.ts';
import { maxRangeBytes, type StoredRange } from './chunk-source.ts';
import { lostBytes } from './damage.ts';
import { expectHeader } from './expect-header.ts';
import { keys } from './format/keys.ts';
import { ReadBuffers } from './read-buffers.ts';
import { neighbours, type PlannedRead, planReads } from './read-plan.ts';
import type { Store } from './store/contract.ts';
import { untilAborted } from './until-aborted.ts';

/** What came of a read: fewer bytes where the pack ends earlier, none without a pack, an error where the medium has lost them. */
interface PlacedRead {
	read: PlannedRead;
	bytes: Buffer | RouseError | undefined;
}

interface ReadUnderWay {
	read: PlannedRead;
	/** Which it fills. */
	buffer: Buffer;
	bytes: Promise<Buffer | undefined>;
}

/**
 * What lies at the places of references. Those that lie next to each other are read together, and the next reads are under way
 * while one is being used.
 */
export class PlacedReads {
	readonly #store: Store;
	readonly #buffers: ReadBuffers;

	constructor(store: Store) {
		this.#store = store;
		this.#buffers = new ReadBuffers(store.properties.readBytes);
	}

	/** Buffers that are free. */
	letGo(): void {
		this.#buffers.letGo();
	}

	/** In the order of the references; bytes are valid until the next is asked for. */
	async *of(refs: readonly ChunkRef[], signal: AbortSignal | undefined): AsyncGenerator<PlacedRead> {
		const { maxParallelReads, readBytes } = this.#store.properties;
		const plan = planReads(refs, readBytes);
		const reading: ReadUnderWay[] = [];
		let started = 0;
		try {
			for (;;) {
				for (; reading.length < maxParallelReads && started < plan.length; started++) {
					const read = plan[started];
					if (read === undefined) break;
					reading.push(this.#begin(read, signal));
				}
				const [first] = reading;
				if (first === undefined) return;
				yield { read: first.read, bytes: await untilAborted(first.bytes, signal).catch(lostBytes) };
				reading.shift();
				this.#buffers.giveBack(first.buffer);
			}
		} finally {
			// Whoever breaks out early leaves reads that nobody waits for: until they end they write into their buffers.
			for (const { bytes, buffer } of reading)
				bytes.then(
					() => this.#buffers.giveBack(buffer),
					() => this.#buffers.giveBack(buffer),
				);
		}
	}

	/**
	 * Looks at the references' places alone, also where these are marked as bad; what is not there is `chunk_missing`, whether it is
	 * elsewhere or not.
	 */
	async *ranges(
		refs: readonly ChunkRef[],
		{ signal }: { signal?: AbortSignal | undefined },
	): AsyncGenerator<StoredRange, void, undefined> {
		for await (const { read, bytes } of this.of(refs, signal)) {
			const { packId, offsetBytes, lengthBytes } = read;
			if (bytes instanceof RouseError) throw bytes;
			if (bytes?.length !== lengthBytes)
				throw new RouseError('chunk_missing', `pack ${packId} has not ${lengthBytes} bytes at ${offsetBytes}`);
			yield* rangesOf(read.refs, offsetBytes, bytes);
		}
	}

	/**
	 * Fills `into` with as many of the bytes as the pack has, and returns these, or undefined without a pack. `io_failed`: the
	 * medium has lost some of them, while the repository itself is there.
	 */
	async read(
		{ packId, offsetBytes }: Pick<PlannedRead, 'packId' | 'offsetBytes'>,
		into: Buffer,
		signal: AbortSignal | undefined,
	): Promise<Buffer | undefined> {
		try {
			const filled = await this.#store.read(keys.pack(packId), offsetBytes, into, signal);
			return filled === undefined ? undefined : into.subarray(0, filled);
		} catch (error) {
			const lost = lostBytes(error);
			await expectHeader(this.#store, signal);
			throw lost;
		}
	}

	#begin(read: PlannedRead, signal: AbortSignal | undefined): ReadUnderWay {
		const buffer = this.#buffers.take(read.lengthBytes);
		const bytes = this.read(read, buffer.subarray(0, read.lengthBytes), signal);
		bytes.catch(() => {}); // looked at in its turn, if ever
		return { read, buffer, bytes };
	}
}

/** References of one pack that lie in what was read of it from `offsetBytes` on. */
export function* rangesOf(
	refs: readonly ChunkRef[],
	offsetBytes: number,
	bytes: Buffer,
): Generator<StoredRange, void, undefined> {
	for (const run of neighbours(refs, maxRangeBytes)) {
		const at = run.offsetBytes - offsetBytes;
		const lengths = run.refs.map(({ storedBytes }) => storedBytes);
		yield { refs: run.refs, lengths, bytes: bytes.subarray(at, at + run.lengthBytes) };
	}
}
