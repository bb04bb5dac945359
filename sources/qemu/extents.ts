import type { SourceExtent } from '../../repository/import/disk-source.ts';

export interface Part {
	offsetBytes: number;
	lengthBytes: number;
}

export interface WrittenPart extends Part {
	/** Whether anything may have been written to it. */
	isWritten: boolean;
}

/**
 * What was written, as data or zeros, and the rest as unchanged. Both are of one disk, whole, in order and without gaps; so is what
 * comes of them.
 */
export async function* writtenExtents(
	extents: AsyncIterable<SourceExtent>,
	written: AsyncIterable<WrittenPart>,
): AsyncGenerator<SourceExtent> {
	const parts = written[Symbol.asyncIterator]();
	try {
		let part = await parts.next();
		for await (const { offsetBytes, lengthBytes, kind } of extents) {
			const endBytes = offsetBytes + lengthBytes;
			for (let at = offsetBytes; at < endBytes; ) {
				if (part.done) throw new RangeError(`the bitmap ends at ${at}, before the disk does`);
				const until = Math.min(endBytes, part.value.offsetBytes + part.value.lengthBytes);
				if (until > at)
					yield { offsetBytes: at, lengthBytes: until - at, kind: part.value.isWritten ? kind : 'unchanged' };
				at = Math.max(at, until);
				if (at < endBytes) part = await parts.next();
			}
		}
	} finally {
		await parts.return?.();
	}
}
