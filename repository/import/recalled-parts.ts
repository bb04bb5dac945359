import type { PageMap } from '../format/page-map.ts';
import type { PageEntry } from '../format/reference.ts';
import { type Segment, segmentOf } from './segments.ts';

export type RecalledPart =
	| { kind: 'read'; segment: Segment }
	/** Of each chunk what an earlier attempt has stored. */
	| { kind: 'told'; segment: Segment; entries: readonly PageEntry[] };

/** Cuts a segment where what can be recalled begins and ends. `recall` is asked in ascending order, one after the other. */
export async function* recalledParts(
	{ firstIndex, count }: Segment,
	map: PageMap,
	recall: (index: number) => Promise<PageEntry | undefined>,
): AsyncGenerator<RecalledPart> {
	let entries: PageEntry[] = [];
	let unread = 0;
	const end = firstIndex + count;
	for (let index = firstIndex; index <= end; index++) {
		const entry = index < end ? await recall(index) : undefined;
		if (entries.length > 0 && entry === undefined) {
			yield { kind: 'told', segment: segmentOf(map, index - entries.length, entries.length), entries };
			entries = [];
		}
		if (unread > 0 && (entry !== undefined || index === end))
			yield { kind: 'read', segment: segmentOf(map, index - unread, unread) };
		if (entry === undefined) unread++;
		else {
			unread = 0;
			entries.push(entry);
		}
	}
}
