import type { ChunkRef } from '../model/chunk.ts';
import { RouseError } from '../model/errors.ts';
import { type Clock, systemClock } from '../system/clock.ts';
import type { ChunkClass, ChunkSource, StoredChunk } from './chunk-source.ts';
import { isChunkDamage } from './damage.ts';
import { badChunk, decodeChunk, rawBytesOf } from './format/chunk.ts';
import { keys } from './format/keys.ts';
import { type ChunkPlace, PackFooters } from './pack-footers.ts';
import { readObject } from './read-object.ts';
import { type PlannedRead, planReads } from './read-plan.ts';
import type { Store } from './store/contract.ts';
import { untilAborted } from './until-aborted.ts';

/**
 * Chunks straight from a store. References that lie next to each other are read together, and the next reads are under
 * way while one is being used. Each yielded buffer stays as it is: nothing is written over it. Does not close its store.
 */
export class DirectChunkSource implements ChunkSource {
	readonly #store: Store;
	readonly #footers: PackFooters;

	constructor(store: Store, clock: Pick<Clock, 'now'> = systemClock) {
		this.#store = store;
		this.#footers = new PackFooters(store, clock);
	}

	async *fetch(
		refs: readonly ChunkRef[],
		{ locate = false, signal }: { class: ChunkClass; locate?: boolean; signal?: AbortSignal | undefined },
	): AsyncGenerator<StoredChunk> {
		if (locate) yield* this.#located(refs, true, signal);
		else yield* this.#atTheirPlaces(refs, signal);
	}

	async close(): Promise<void> {}

	async *#atTheirPlaces(refs: readonly ChunkRef[], signal: AbortSignal | undefined): AsyncGenerator<StoredChunk> {
		const { maxParallelReads, readBytes } = this.#store.properties;
		const plan = planReads(refs, readBytes);
		const reading: { read: PlannedRead; bytes: Promise<Buffer | undefined> }[] = [];
		let started = 0;
		for (;;) {
			for (; reading.length < maxParallelReads && started < plan.length; started++) {
				const read = plan[started];
				if (read === undefined) break;
				const bytes = this.#read(read, signal);
				bytes.catch(() => {}); // whoever breaks out early leaves reads that nobody waits for
				reading.push({ read, bytes });
			}
			const first = reading.shift();
			if (first === undefined) return;
			const bytes = await untilAborted(first.bytes, signal).catch(lostBytes);
			yield* this.#cut(first.read, bytes, signal);
		}
	}

	/**
	 * The chunks of one read; those that the pack does not reach to, or whose bytes the medium has lost, are looked up in
	 * the footers.
	 */
	async *#cut(
		{ refs, offsetBytes }: PlannedRead,
		bytes: Buffer | RouseError | undefined,
		signal: AbortSignal | undefined,
	): AsyncGenerator<StoredChunk> {
		if (bytes instanceof RouseError) {
			if (refs.length === 1) yield* this.#located(refs, true, signal);
			else for (const ref of refs) yield* this.#alone(ref, signal); // most of them can be had
			return;
		}
		const reached = bytes === undefined ? 0 : offsetBytes + bytes.length;
		for (const [position, ref] of refs.entries()) {
			const at = ref.offsetBytes - offsetBytes;
			if (bytes === undefined || ref.offsetBytes + ref.storedBytes > reached) {
				yield* this.#located(refs.slice(position), false, signal);
				return;
			}
			yield { ref, stored: bytes.subarray(at, at + ref.storedBytes) };
		}
	}

	async *#alone(ref: ChunkRef, signal: AbortSignal | undefined): AsyncGenerator<StoredChunk> {
		const { packId, offsetBytes, storedBytes: lengthBytes } = ref;
		const read = { packId, offsetBytes, lengthBytes, refs: [ref] };
		yield* this.#cut(read, await untilAborted(this.#read(read, signal), signal).catch(lostBytes), signal);
	}

	async *#located(
		refs: readonly ChunkRef[],
		everywhere: boolean,
		signal: AbortSignal | undefined,
	): AsyncGenerator<StoredChunk> {
		const places = await this.#footers.locate(refs, { everywhere, signal });
		for (const ref of refs) {
			const stored = await this.#readAnyOf(places.get(ref.digest) ?? [], signal);
			if (stored === undefined) throw await this.#missing(ref, signal);
			yield { ref, stored };
		}
	}

	/**
	 * From the first place that holds the right bytes; from a wrong one when none does, so that the caller sees that.
	 * Throws `chunk_bad` when the medium has lost them in all places.
	 */
	async #readAnyOf(places: readonly ChunkPlace[], signal: AbortSignal | undefined): Promise<Buffer | undefined> {
		let wrong: Buffer | undefined;
		let lost: RouseError | undefined;
		for (const { ref, kind } of places) {
			const { packId, offsetBytes, storedBytes: lengthBytes } = ref;
			const stored = await this.#read({ packId, offsetBytes, lengthBytes }, signal).catch(lostBytes);
			if (stored === undefined) continue;
			if (stored instanceof RouseError) {
				lost ??= badChunk(ref, stored.message, stored);
				continue;
			}
			try {
				decodeChunk(ref, stored, rawBytesOf(stored) ?? 0, kind);
				return stored;
			} catch (error) {
				if (!isChunkDamage(error)) throw error;
				wrong = stored;
			}
		}
		if (wrong === undefined && lost !== undefined) throw lost;
		return wrong;
	}

	/**
	 * As many of the bytes as the pack has, or undefined without a pack. `io_failed`: the medium has lost some of them,
	 * while the repository itself is there.
	 */
	async #read(
		{ packId, offsetBytes, lengthBytes }: Omit<PlannedRead, 'refs'>,
		signal: AbortSignal | undefined,
	): Promise<Buffer | undefined> {
		const bytes = Buffer.allocUnsafeSlow(lengthBytes);
		try {
			const filled = await this.#store.read(keys.pack(packId), offsetBytes, bytes, signal);
			return filled === undefined ? undefined : bytes.subarray(0, filled);
		} catch (error) {
			const lost = lostBytes(error);
			await this.#expectHeader(signal);
			throw lost;
		}
	}

	/** A store whose header cannot be read is not one that lost a chunk: it is not mounted, or gone as a whole. */
	async #expectHeader(signal: AbortSignal | undefined): Promise<void> {
		let header: Buffer | undefined;
		let cause: unknown;
		try {
			header = await readObject(this.#store, keys.header, { signal });
		} catch (error) {
			signal?.throwIfAborted();
			cause = error;
		}
		if (header === undefined)
			throw new RouseError('store_unreachable', `there is no repository in ${this.#store.location} at the moment`, {
				hint: 'is its file system mounted?',
				cause,
			});
	}

	async #missing(
		{ digest, packId, offsetBytes, storedBytes }: ChunkRef,
		signal: AbortSignal | undefined,
	): Promise<RouseError> {
		await this.#expectHeader(signal);
		return new RouseError(
			'chunk_missing',
			`chunk ${digest} is not in pack ${packId} at ${offsetBytes}+${storedBytes}, nor in any other`,
			{
				hint: 'put the pack back from a copy of the repository',
				details: { digest, packId, offsetBytes, storedBytes },
			},
		);
	}
}

/** Lost by the medium, or something that is no file in the pack's place: as a value. Everything else is thrown on. */
function lostBytes(error: unknown): RouseError {
	if (error instanceof RouseError && (error.code === 'io_failed' || error.code === 'format_damaged')) return error;
	throw error;
}
