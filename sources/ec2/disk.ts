import { RouseError } from '../../model/errors.ts';
import type { DiskSource, SourceExtent } from '../../repository/import/disk-source.ts';
import { type BlockListing, blocksOf, type ListedBlocks, listedBlocks } from './block-list.ts';
import type { BlockReader } from './block-reader.ts';
import { BlockTokens } from './block-tokens.ts';
import { blockBytes, type Ec2Cloud } from './cloud.ts';
import { inOurCodes, isFault, momentLost, sourceError } from './refusals.ts';

/** Of a page of extents: 2.5 GiB, and some 400 KiB of tokens. */
const blocksInPage = 5000;
/** Of a page that is listed for the sake of a read. */
const blocksInShortPage = 1000;
/** Blocks of which reads have had parts: where chunks are small. 4 MiB. */
const mostKept = 8;

export interface DiskOfSnapshot {
	cloud: Ec2Cloud;
	reader: BlockReader;
	snapshotId: string;
	/** The snapshot that unchanged parts are those of; null: all is told. */
	since: string | null;
	sizeBytes: number;
}

/** A volume as a snapshot has it. Extents are whole blocks; what no list tells was never written, and reads as zeros. */
export class SnapshotDisk implements DiskSource {
	readonly sizeBytes: number;
	readonly #of: DiskOfSnapshot;
	readonly #tokens: BlockTokens;
	readonly #kept = new Map<number, Promise<Buffer | null>>();

	constructor(of: DiskOfSnapshot) {
		this.#of = of;
		this.sizeBytes = of.sizeBytes;
		this.#tokens = new BlockTokens((index, signal) => this.#listFrom(index, signal));
	}

	async *extents(signal: AbortSignal, onListed?: () => void): AsyncGenerator<SourceExtent> {
		const { since } = this.#of;
		try {
			const listing = { ...this.#listing(since, blocksInPage), onPage: onListed };
			for await (const listed of listedBlocks(listing, 0, signal)) {
				this.#tokens.note(listed, since === null);
				yield* extentsIn(listed, { between: since === null ? 'zero' : 'unchanged', sizeBytes: this.sizeBytes });
			}
		} catch (error) {
			signal.throwIfAborted();
			throw await this.#whyNotListed(error, signal);
		}
	}

	async read(offsetBytes: number, into: Buffer, signal: AbortSignal): Promise<void> {
		signal.throwIfAborted();
		const first = Math.floor(offsetBytes / blockBytes);
		const end = blocksOf(offsetBytes + into.length);
		const parts = Array.from({ length: end - first }, (_, number) =>
			this.#fill(first + number, offsetBytes, into, signal),
		);
		// Nothing goes on behind the caller, who gets the memory back.
		for (const part of await Promise.allSettled(parts)) {
			signal.throwIfAborted();
			if (part.status === 'rejected') throw sourceError(part.reason, momentLost(this.#of.snapshotId));
		}
	}

	async #fill(index: number, offsetBytes: number, into: Buffer, signal: AbortSignal): Promise<void> {
		const start = Math.max(offsetBytes, index * blockBytes);
		const end = Math.min(offsetBytes + into.length, (index + 1) * blockBytes);
		const isWhole = end - start === blockBytes;
		const block = await (isWhole ? this.#fetch(index, signal) : this.#shared(index, signal));
		const part = into.subarray(start - offsetBytes, end - offsetBytes);
		if (block === null) part.fill(0);
		else block.copy(part, 0, start - index * blockBytes, end - index * blockBytes);
	}

	#fetch(index: number, signal: AbortSignal): Promise<Buffer | null> {
		return this.#of.reader.read(this.#of.snapshotId, index, this.#tokens, signal);
	}

	/** A block that several reads have a part of is fetched, and paid for, once. */
	async #shared(index: number, signal: AbortSignal): Promise<Buffer | null> {
		const begun = this.#kept.get(index);
		if (begun !== undefined) {
			const block = await begun.catch(() => undefined); // told to who began it
			if (block !== undefined) return block;
			signal.throwIfAborted();
		}
		const fetched = this.#fetch(index, signal);
		this.#kept.delete(index);
		this.#kept.set(index, fetched);
		const [oldest] = this.#kept.keys();
		if (this.#kept.size > mostKept && oldest !== undefined) this.#kept.delete(oldest);
		try {
			return await fetched;
		} catch (error) {
			if (this.#kept.get(index) === fetched) this.#kept.delete(index);
			throw error;
		}
	}

	#listing(since: string | null, most: number): BlockListing {
		const { cloud, snapshotId, sizeBytes } = this.#of;
		return { cloud, snapshotId, since, sizeBytes, most };
	}

	async #listFrom(index: number, signal: AbortSignal): Promise<ListedBlocks> {
		const first = await listedBlocks(this.#listing(null, blocksInShortPage), index, signal).next();
		if (first.done !== true) return first.value;
		throw new RouseError('internal', `block ${index} is past the end of ${this.#of.snapshotId}`);
	}

	/**
	 * AWS does not say which of two snapshots is missing, and may not compare them for reasons of which nothing is known here: each
	 * further increment would end by them too, where the disk can be read whole.
	 */
	async #whyNotListed(error: unknown, signal: AbortSignal): Promise<unknown> {
		const { cloud, since, snapshotId } = this.#of;
		const lost = momentLost(snapshotId);
		if (since === null || !isFault(error, 'missing', 'unrelated', 'refused')) return sourceError(error, lost);
		const found = await inOurCodes(lost, () => cloud.snapshots({ ids: [snapshotId] }, signal));
		if (found.length === 0) return new RouseError(lost.code, lost.message, { hint: lost.hint });
		const why = error.fault === 'missing' ? 'is gone' : `is not compared (${error.word})`;
		return new RouseError('checkpoint_lost', `snapshot ${since}, by which AWS knows what has changed, ${why}`);
	}

	/** Reads that are under way are ended by their signals. */
	async close(): Promise<void> {
		this.#kept.clear();
	}
}

/** Neighbours of one kind are one extent, within a page: what is told is read while the next page is listed. */
function* extentsIn(
	listed: ListedBlocks,
	{ between, sizeBytes }: { between: SourceExtent['kind']; sizeBytes: number },
): Generator<SourceExtent> {
	const extent = ({ from, kind }: Run, to: number): SourceExtent => ({
		offsetBytes: from * blockBytes,
		lengthBytes: Math.min(to * blockBytes, sizeBytes) - from * blockBytes,
		kind,
	});
	let begun: Run | undefined;
	for (const run of runsIn(listed, between)) {
		if (begun?.kind === run.kind) continue;
		if (begun !== undefined) yield extent(begun, run.from);
		begun = run;
	}
	if (begun !== undefined) yield extent(begun, listed.to);
}

/** Up to the next one. */
interface Run {
	from: number;
	kind: SourceExtent['kind'];
}

function* runsIn({ from, to, tokens }: ListedBlocks, between: Run['kind']): Generator<Run> {
	let next = from;
	for (const [index, token] of tokens) {
		if (index > next) yield { from: next, kind: between };
		yield { from: index, kind: token === null ? 'zero' : 'data' };
		next = index + 1;
	}
	if (to > next) yield { from: next, kind: between };
}
