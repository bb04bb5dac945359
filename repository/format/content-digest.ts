import { hash } from 'node:crypto';
import type { DiskImage } from '../../model/chunk.ts';
import { magic } from './magic.ts';

const digestBytes = 32;

/** What stands for a part of a disk that is all zero. */
export const zeroContent: Buffer = Buffer.alloc(digestBytes);

/**
 * Digest of what lies under a page: of its entries' digests, without their places, so that it depends on the content
 * alone. `digests` are 32 bytes an entry; all zero is {@link zeroContent}.
 */
export function pageContent(digests: Buffer): Buffer {
	return digests.some(byte => byte !== 0) ? hash('sha256', digests, 'buffer') : zeroContent;
}

/** Digest of the content of a whole disk (docs/format.md, "Content digest"). `root`: that of its root page. */
export function diskContentDigest(
	{ sizeBytes, chunkSizeBytes }: Pick<DiskImage, 'sizeBytes' | 'chunkSizeBytes'>,
	root: Buffer,
): string {
	const head = Buffer.alloc(24);
	magic.diskContent.bytes.copy(head);
	head.writeBigUInt64LE(BigInt(sizeBytes), 8);
	head.writeBigUInt64LE(BigInt(chunkSizeBytes), 16);
	return hash('sha256', Buffer.concat([head, root]), 'hex');
}
