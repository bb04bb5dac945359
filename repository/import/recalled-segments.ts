import type { PageMap } from '../format/page-map.ts';
import type { PageEntry } from '../format/reference.ts';
import { type Segment, segmentOf } from './segments.ts';

export interface RecalledSegment {
	segment: Segment;
	/** Of each chunk what an earlier attempt has stored; undefined: they are to be read. */
	told: readonly PageEntry[] | undefined;
}

/** Cuts segments where what can be recalled begins and ends. `recall` is asked in ascending order, one after the other. */
export async function* recalledSegments(
	segments: AsyncIterable<Segment>,
	map: PageMap,
	recall: (index: number, isUnchanged: boolean) => Promise<PageEntry | undefined>,
): AsyncGenerator<RecalledSegment> {
	for await (const { firstIndex, count, isUnchanged } of segments) {
		let told: PageEntry[] = [];
		let unread = 0;
		for (let index = firstIndex; index < firstIndex + count; index++) {
			const entry = await recall(index, isUnchanged);
			if (entry === undefined) {
				if (told.length > 0) yield { segment: segmentOf(map, index - told.length, told.length), told };
				told = [];
				unread++;
			} else {
				if (unread > 0) yield { segment: segmentOf(map, index - unread, unread), told: undefined };
				unread = 0;
				told.push(entry);
			}
		}
		const end = firstIndex + count;
		if (told.length > 0) yield { segment: segmentOf(map, end - told.length, told.length), told };
		if (unread > 0) yield { segment: segmentOf(map, end - unread, unread), told: undefined };
	}
}
