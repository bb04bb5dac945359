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
 * What was written, as data or zeros, the rest as unchanged, and whatever is zeros as that. Both are of one disk, whole, in order and without gaps; so is what
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
				// Zeros first: what a disk had behind an end that it did not always have is gone, and no bitmap marks it (QEMU 7.2).
				const isTold = part.value.isWritten || kind === 'zero';
				if (until > at) yield { offsetBytes: at, lengthBytes: until - at, kind: isTold ? kind : 'unchanged' };
				at = Math.max(at, until);
				if (at < endBytes) part = await parts.next();
			}
		}
	} finally {
		await parts.return?.();
	}
}
