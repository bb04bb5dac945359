import type { ChunkSource, RangeSource, StoredRange } from '../chunk-source.ts';

/** A source of single chunks as one of ranges, of one chunk each. */
export function singly(source: ChunkSource): RangeSource {
	return {
		fetch: (refs, options) => source.fetch(refs, options),
		async *ranges(refs, options): AsyncGenerator<StoredRange> {
			for await (const { ref, stored } of source.fetch(refs, options)) {
				const bytes = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength);
				yield { refs: [ref], lengths: [stored.length], bytes };
			}
		},
		close: () => source.close(),
	};
}
