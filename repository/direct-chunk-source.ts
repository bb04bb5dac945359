import type { ChunkRef } from '../model/chunk.ts';
import { RouseError } from '../model/errors.ts';
import { type Clock, systemClock } from '../system/clock.ts';
import { BadPlaces } from './bad-places.ts';
import { type ChunkClass, chunksOf, type RangeSource, type StoredChunk, type StoredRange } from './chunk-source.ts';
import { lostBytes } from './damage.ts';
import { keys } from './format/keys.ts';
import { isOldPlace, type Look, lookAtPlace } from './look-at-place.ts';
import { type ChunkPlace, PackFooters } from './pack-footers.ts';
import { PlacedReads, rangesOf } from './placed-reads.ts';
import type { PlannedRead } from './read-plan.ts';
import type { Store } from './store/contract.ts';
import { expectHeader } from './expect-header.ts';
import { untilAborted } from './until-aborted.ts';

interface FetchOptions {
	class: ChunkClass;
	locate?: boolean;
	signal?: AbortSignal | undefined;
}

/** A place that may hold a chunk; nothing says what kind of one when no footer names it. */
type Candidate = Pick<ChunkPlace, 'ref'> & Partial<ChunkPlace>;

/**
 * Chunks straight from a store. References that lie next to each other are read together, and the next reads are under
 * way while one is being used. Does not close its store.
 *
 * Places that are marked as bad are tried last. One that it has read twice itself and found wrong it marks: whoever asks may be
 * on another machine, and is not believed.
 */
export class DirectChunkSource implements RangeSource {
	readonly #store: Store;
	readonly #footers: PackFooters;
	readonly #reads: PlacedReads;
	#bad: Promise<BadPlaces> | undefined;
	#loadedBad: BadPlaces | undefined;

	/** `bad`: of the same store; without it they are listed at the first request. */
	constructor(store: Store, clock: Pick<Clock, 'now'> = systemClock, bad?: BadPlaces) {
		this.#store = store;
		this.#footers = new PackFooters(store, clock);
		this.#reads = new PlacedReads(store);
		this.#bad = bad && Promise.resolve(bad);
	}

	/** What is kept for reads that may never come. */
	letGo(): void {
		this.#reads.letGo();
	}

	fetch(refs: readonly ChunkRef[], options: FetchOptions): AsyncGenerator<StoredChunk, void, undefined> {
		return chunksOf(this.ranges(refs, options));
	}

	async *ranges(
		refs: readonly ChunkRef[],
		{ locate = false, signal }: FetchOptions,
	): AsyncGenerator<StoredRange, void, undefined> {
		const bad = await this.#badPlaces(signal);
		for (const run of runsOf(refs, ref => locate || bad.has(ref)))
			if (run.chosen) yield* this.#located(run.refs, true, signal);
			else yield* this.#atTheirPlaces(run.refs, signal);
	}

	readNow(ref: ChunkRef, into: Uint8Array): boolean {
		const bad = this.#loadedBad;
		if (bad === undefined || bad.has(ref) || this.#store.readNow === undefined) return false;
		return this.#store.readNow(keys.pack(ref.packId), ref.offsetBytes, into) === into.length;
	}

	async close(): Promise<void> {}

	/** One listing for all who ask, which none of them ends for the others. */
	async #badPlaces(signal: AbortSignal | undefined): Promise<BadPlaces> {
		if (this.#bad === undefined) {
			const loading = BadPlaces.load(this.#store);
			loading.catch(() => {
				if (this.#bad === loading) this.#bad = undefined;
			});
			this.#bad = loading;
		}
		this.#loadedBad = await untilAborted(this.#bad, signal);
		return this.#loadedBad;
	}

	async *#atTheirPlaces(refs: readonly ChunkRef[], signal: AbortSignal | undefined): AsyncGenerator<StoredRange> {
		for await (const { read, bytes } of this.#reads.of(refs, signal)) yield* this.#cut(read, bytes, signal);
	}

	/**
	 * The chunks of one read; those that the pack does not reach to, or whose bytes the medium has lost, are looked up in
	 * the footers.
	 */
	async *#cut(
		{ refs, offsetBytes }: PlannedRead,
		bytes: Buffer | RouseError | undefined,
		signal: AbortSignal | undefined,
	): AsyncGenerator<StoredRange> {
		if (bytes instanceof RouseError) {
			if (refs.length === 1) yield* this.#located(refs, true, signal);
			else for (const ref of refs) yield* this.#alone(ref, signal); // most of them can be had
			return;
		}
		const reached = bytes === undefined ? 0 : offsetBytes + bytes.length;
		const past = refs.findIndex(ref => ref.offsetBytes + ref.storedBytes > reached);
		const there = past < 0 ? refs : refs.slice(0, past);
		if (bytes !== undefined) yield* rangesOf(there, offsetBytes, bytes);
		if (past >= 0) yield* this.#located(refs.slice(past), false, signal);
	}

	async *#alone(ref: ChunkRef, signal: AbortSignal | undefined): AsyncGenerator<StoredRange> {
		const { packId, offsetBytes, storedBytes: lengthBytes } = ref;
		const read = { packId, offsetBytes, lengthBytes, refs: [ref] };
		const bytes = this.#reads.read(read, Buffer.allocUnsafeSlow(lengthBytes), signal);
		yield* this.#cut(read, await untilAborted(bytes, signal).catch(lostBytes), signal);
	}

	async *#located(
		refs: readonly ChunkRef[],
		everywhere: boolean,
		signal: AbortSignal | undefined,
	): AsyncGenerator<StoredRange> {
		const places = await this.#footers.locate(refs, { everywhere: everywhere ? 'indexed' : false, signal });
		for (const ref of refs) {
			const known = places.get(ref.digest) ?? [];
			let looked = await this.#lookAtAll(ref, known, signal);
			// What no index knows may still be in a pack: its footer says so, among thousands. Without another place known
			// all of them were asked just now.
			if (everywhere && looked.right === undefined && known.some(place => !isAt(ref, place))) {
				const all = await this.#footers.locate([ref], { everywhere: true, signal });
				looked = await this.#lookAtAll(ref, all.get(ref.digest) ?? [], signal);
			}
			const stored = looked.right ?? looked.wrong;
			if (stored === undefined) throw looked.lost ?? (await this.#missing(ref, signal));
			yield { refs: [ref], lengths: [stored.length], bytes: stored };
		}
	}

	/** The bytes of the first place that holds the right ones; else wrong ones, so that the caller sees that, and what the medium has lost. */
	async #lookAtAll(
		wanted: ChunkRef,
		places: readonly ChunkPlace[],
		signal: AbortSignal | undefined,
	): Promise<{ right?: Buffer; wrong?: Buffer; lost?: RouseError }> {
		const bad = await this.#badPlaces(signal);
		const looked: { wrong?: Buffer; lost?: RouseError } = {};
		for (const candidate of candidatesOf(wanted, places, bad)) {
			const look = await this.#judged(candidate, bad, signal);
			if (look.found === 'right') return { right: look.stored };
			if (look.found === 'nothing') continue;
			if (look.stored !== undefined) looked.wrong = look.stored;
			else if (look.damage.cause !== undefined) looked.lost ??= look.damage;
		}
		return looked;
	}

	/** What lies there; marked as bad when it is, at the second look. An old reference leads to nothing. */
	async #judged({ ref, kind }: Candidate, bad: BadPlaces, signal: AbortSignal | undefined): Promise<Look> {
		const first = await lookAtPlace(this.#store, ref, kind, signal);
		if (first.found !== 'wrong') return first;
		await expectHeader(this.#store, signal);
		if (bad.has(ref)) return first;
		if (await isOldPlace(this.#store, ref, signal)) return { found: 'nothing' };
		const second = await lookAtPlace(this.#store, ref, kind, signal);
		if (second.found === 'wrong') {
			await expectHeader(this.#store, signal);
			await bad.mark(ref, second.damage.message);
		}
		return second;
	}

	async #missing(
		{ digest, packId, offsetBytes, storedBytes }: ChunkRef,
		signal: AbortSignal | undefined,
	): Promise<RouseError> {
		await expectHeader(this.#store, signal);
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

/** The references in their order, in runs of chosen ones and others. */
function runsOf(
	refs: readonly ChunkRef[],
	isChosen: (ref: ChunkRef) => boolean,
): { chosen: boolean; refs: ChunkRef[] }[] {
	const runs: { chosen: boolean; refs: ChunkRef[] }[] = [];
	for (const ref of refs) {
		const chosen = isChosen(ref);
		const last = runs.at(-1);
		if (last?.chosen === chosen) last.refs.push(ref);
		else runs.push({ chosen, refs: [ref] });
	}
	return runs;
}

/**
 * Where to look: what the footers name and the place of the reference, whose pack may have no footer any more. Marked ones come
 * last, but they come: a mark may be wrong.
 */
function candidatesOf(wanted: ChunkRef, places: readonly ChunkPlace[], bad: BadPlaces): Candidate[] {
	const isNamed = places.some(place => isAt(wanted, place));
	const all: Candidate[] = isNamed ? [...places] : [{ ref: wanted }, ...places];
	return [...all.filter(({ ref }) => !bad.has(ref)), ...all.filter(({ ref }) => bad.has(ref))];
}

function isAt({ packId, offsetBytes, storedBytes }: ChunkRef, { ref }: ChunkPlace): boolean {
	return ref.packId === packId && ref.offsetBytes === offsetBytes && ref.storedBytes === storedBytes;
}
