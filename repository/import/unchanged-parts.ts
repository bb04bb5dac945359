import type { RouseError } from '../../model/errors.ts';
import type { DiskReader } from '../disk-reader.ts';
import type { Page } from '../format/page.ts';
import { pageEntries } from '../format/page-map.ts';
import type { ImportBase } from './import-base.ts';
import type { RepositoryChunks } from './known-chunks.ts';

/** Neighbouring chunks that are taken from the base, or must be read since they cannot be. */
export type UnchangedPart =
	/** Of one leaf; without a page all of them are zero, and it may be any number. */
	| { kind: 'base'; firstIndex: number; count: number; page: Page | undefined }
	| { kind: 'unusable'; firstIndex: number; count: number; why: string };

export interface UnchangedDisk {
	base: Pick<ImportBase, 'noteDamage' | 'damageText' | 'why'>;
	reader: DiskReader;
	known: Pick<RepositoryChunks, 'unusableIn'>;
	signal: AbortSignal;
}

/** All of these chunks, each once, in order. It looks at one leaf at a time, whatever their number. */
export async function* unchangedParts(
	{ base, reader, known, signal }: UnchangedDisk,
	firstIndex: number,
	count: number,
): AsyncGenerator<UnchangedPart> {
	const end = firstIndex + count;
	let next = firstIndex;
	const onDamage = ({ error }: { error: RouseError }) => base.noteDamage(error);
	const unusable = (to: number): UnchangedPart => ({
		kind: 'unusable',
		firstIndex: next,
		count: to - next,
		why: base.why ?? base.damageText,
	});
	for await (const leaf of reader.leaves({ from: firstIndex, to: end, signal, onDamage })) {
		if (base.why !== undefined) break;
		signal.throwIfAborted();
		if (leaf.firstIndex > next) yield unusable(leaf.firstIndex);
		next = leaf.firstIndex + leaf.count;
		if (leaf.page === undefined) yield { kind: 'base', ...leaf, page: undefined };
		else yield* partsOfLeaf({ ...leaf, page: leaf.page }, await unusableOf(known, leaf.page, leaf));
	}
	if (next < end) yield unusable(end);
}

/** Numbers of chunks. */
async function unusableOf(
	known: UnchangedDisk['known'],
	page: Page,
	{ firstIndex, count }: { firstIndex: number; count: number },
): Promise<number[]> {
	const from = firstIndex % pageEntries;
	const entries = await known.unusableIn(page.bytes, from, from + count);
	return entries.map(entry => firstIndex - from + entry);
}

function* partsOfLeaf(
	{ firstIndex, count, page }: { firstIndex: number; count: number; page: Page },
	unusable: readonly number[],
): Generator<UnchangedPart> {
	const why = 'their places in the repository cannot be relied on';
	let next = firstIndex;
	for (let at = 0; at < unusable.length; ) {
		const first = unusable[at] ?? 0;
		let many = 1;
		while (unusable[at + many] === first + many) many++;
		if (first > next) yield { kind: 'base', firstIndex: next, count: first - next, page };
		yield { kind: 'unusable', firstIndex: first, count: many, why };
		next = first + many;
		at += many;
	}
	const end = firstIndex + count;
	if (next < end) yield { kind: 'base', firstIndex: next, count: end - next, page };
}
