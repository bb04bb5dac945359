import { isDamage } from '../damage.ts';
import type { Page } from '../format/page.ts';
import { pageEntries, type PageMap } from '../format/page-map.ts';
import type { PageEntry } from '../format/reference.ts';
import type { ImportBase } from './import-base.ts';
import type { ImportJournal } from './journal.ts';
import type { RepositoryChunks } from './known-chunks.ts';
import { recalledParts } from './recalled-parts.ts';
import { readsOf, type Segment, segmentOf } from './segments.ts';
import { unchangedParts } from './unchanged-parts.ts';

/** Neighbouring chunks of a disk, and where an import has them from. */
export type DiskPart =
	| { kind: 'read'; segment: Segment }
	/** An earlier attempt has stored them, or found them zero. */
	| { kind: 'told'; segment: Segment; entries: readonly PageEntry[] }
	/** As on this disk of the base: of one of its leaves, or without a page all zero. */
	| { kind: 'base'; segment: Segment; baseDisk: number; page: Page | undefined };

export interface PartsOfDisk {
	/** Its number. */
	disk: number;
	map: PageMap;
	chunksPerRead: number;
	/** The disk of the base that `unchanged` speaks of. */
	baseDisk: number | undefined;
	base: Pick<ImportBase, 'disk' | 'noteDamage' | 'damageText' | 'why'>;
	journal: Pick<ImportJournal, 'recall' | 'nextReference'>;
	known: Pick<RepositoryChunks, 'isUsable' | 'unusableIn'>;
	signal: AbortSignal;
}

/** What a disk consists of, zero parts left out, in order: what an attempt has told is not read again, nor what the base has. */
export class DiskParts {
	readonly #work: PartsOfDisk;
	/** Unchanged chunks that are read, and why. */
	readonly #unusable = new Map<string, number>();

	constructor(work: PartsOfDisk) {
		this.#work = work;
	}

	/** For people. */
	get warnings(): string[] {
		const { disk } = this.#work;
		return [...this.#unusable].map(
			([why, count]) => `disk ${disk}: ${count} unchanged chunks were read from their source: ${why}`,
		);
	}

	async *of(segments: AsyncIterable<Segment>): AsyncGenerator<DiskPart> {
		const { map } = this.#work;
		for await (const segment of segments)
			if (segment.isUnchanged) yield* this.#unchanged(segment);
			else yield* recalledParts(segment, map, index => this.#recall(index));
	}

	/** What was told with references wins: they were read, since the base could not be relied on. */
	async *#unchanged({ firstIndex, count }: Segment): AsyncGenerator<DiskPart> {
		const { disk, journal, map } = this.#work;
		const end = firstIndex + count;
		for (let next = firstIndex; next < end; ) {
			const told = await journal.nextReference(disk, next, end - next);
			if (told > next) yield* this.#fromBase(next, told - next);
			next = told;
			if (next === end) return;
			const entries = await this.#toldReferences(next, end);
			if (entries.length === 0) yield* this.#fromBase(next, 1);
			else yield { kind: 'told', segment: segmentOf(map, next, entries.length), entries };
			next += Math.max(1, entries.length);
		}
	}

	async *#fromBase(firstIndex: number, count: number): AsyncGenerator<DiskPart> {
		const { map, base, baseDisk, known, signal } = this.#work;
		const { reader, why } = base.disk(baseDisk, map.sizeBytes);
		if (reader === undefined || baseDisk === undefined) {
			yield* this.#reads(firstIndex, count, why ?? '');
			return;
		}
		for await (const part of unchangedParts({ base, reader, known, signal }, firstIndex, count))
			if (part.kind === 'unusable') yield* this.#reads(part.firstIndex, part.count, part.why);
			else yield { kind: 'base', segment: segmentOf(map, part.firstIndex, part.count), baseDisk, page: part.page };
	}

	*#reads(firstIndex: number, count: number, why: string): Generator<DiskPart> {
		const { map, chunksPerRead } = this.#work;
		this.#unusable.set(why, (this.#unusable.get(why) ?? 0) + count);
		for (const segment of readsOf(map, firstIndex, count, chunksPerRead)) yield { kind: 'read', segment };
	}

	/** References that were told, behind each other from there on, as far as they can be relied on, a leaf at most. */
	async #toldReferences(firstIndex: number, end: number): Promise<PageEntry[]> {
		const { disk, journal, known } = this.#work;
		const entries: PageEntry[] = [];
		for (let index = firstIndex; index < end && entries.length < pageEntries; index++) {
			const told = await journal.recall(disk, index);
			if (told === undefined || told === 'zero' || 'baseDisk' in told || !(await known.isUsable(told))) break;
			entries.push(told);
		}
		return entries;
	}

	/** What was told of a chunk, when it can be relied on. */
	async #recall(index: number): Promise<PageEntry | undefined> {
		const { disk, journal, known } = this.#work;
		const told = await journal.recall(disk, index);
		const entry = told !== undefined && told !== 'zero' && 'baseDisk' in told ? await this.#inBase(told, index) : told;
		return entry === undefined || entry === 'zero' || (await known.isUsable(entry)) ? entry : undefined;
	}

	async #inBase({ baseDisk }: { baseDisk: number }, index: number): Promise<PageEntry | undefined> {
		const { map, base, signal } = this.#work;
		try {
			return await base.disk(baseDisk, map.sizeBytes).reader?.lookup(index, { signal });
		} catch (error) {
			if (!isDamage(error)) throw error;
			base.noteDamage(error);
			return undefined;
		}
	}
}
