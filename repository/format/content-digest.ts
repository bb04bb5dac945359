import type { DiskImage } from '../../model/chunk.ts';
import { digestAlgorithm, digestBytes, digestOf } from './digest.ts';
import { magic } from './magic.ts';

/** What stands for a part of a disk that is all zero. */
export const zeroContent: Buffer = Buffer.alloc(digestBytes);

/**
 * Digest of what lies under a page: of its entries' digests, without their places, so that it depends on the content
 * alone. `digests` are 32 bytes an entry; all zero is {@link zeroContent}.
 */
export function pageContent(digests: Buffer): Buffer {
	if (digests.every(byte => byte === 0)) return zeroContent;
	return digestOf(Buffer.concat([magic.pageContent.bytes, digests]));
}

/** Digest of the content of a whole disk (docs/format.md, "Content digest"). `root`: that of its root page. */
export function diskContentDigest(
	{ sizeBytes, chunkSizeBytes, frameSizeBytes }: Pick<DiskImage, 'sizeBytes' | 'chunkSizeBytes' | 'frameSizeBytes'>,
	root: Buffer,
): string {
	const head = Buffer.alloc(40);
	magic.diskContent.bytes.copy(head);
	head.write(digestAlgorithm, 8, 'latin1');
	for (const [position, bytes] of [sizeBytes, chunkSizeBytes, frameSizeBytes].entries())
		head.writeBigUInt64LE(BigInt(bytes), 16 + position * 8);
	return digestOf(Buffer.concat([head, root])).toString('hex');
}
