/** A VMDK whose extents hold the disk's bytes as they are: "Virtual Disk Format 5.0" (VMware), "The Extent Description". */
import { RouseError } from '../model/errors.ts';
import type { SourceExtent } from '../repository/import/disk-source.ts';
import type { OpenedDisk } from './disk-facts.ts';
import type { ImageExtent } from './image-layers.ts';
import { bytesAt } from './opened-file.ts';

/** `extents`: in the disk's order; their files are long enough. */
export function openFlatExtents(extents: readonly ImageExtent[]): Pick<OpenedDisk, 'sizeBytes' | 'extents' | 'read'> {
	const sizeBytes = extents.reduce((sum, extent) => sum + extent.sizeBytes, 0);
	return {
		sizeBytes,
		async *extents() {
			let offsetBytes = 0;
			for (const { sizeBytes: lengthBytes, file } of extents) {
				yield { offsetBytes, lengthBytes, kind: file === undefined ? 'zero' : 'data' } satisfies SourceExtent;
				offsetBytes += lengthBytes;
			}
		},
		read: async (offsetBytes, into, signal) => {
			let beginsAt = 0;
			for (const extent of extents) {
				signal.throwIfAborted();
				await readPart(extent, { beginsAt, offsetBytes, into });
				beginsAt += extent.sizeBytes;
			}
		},
	};
}

interface Part {
	/** Of the extent on the disk. */
	beginsAt: number;
	offsetBytes: number;
	into: Buffer;
}

/** What of `into` lies in the extent. */
async function readPart(
	{ file, flatAtBytes = 0, sizeBytes }: ImageExtent,
	{ beginsAt, offsetBytes, into }: Part,
): Promise<void> {
	const start = Math.max(beginsAt, offsetBytes);
	const end = Math.min(beginsAt + sizeBytes, offsetBytes + into.length);
	if (start >= end) return;
	const part = into.subarray(start - offsetBytes, end - offsetBytes);
	if (file === undefined) {
		part.fill(0);
		return;
	}
	const bytes = await bytesAt(file, flatAtBytes + start - beginsAt, part.length);
	if (bytes.length < part.length)
		throw new RouseError('source_invalid', `${file.path} became shorter while it was read`);
	part.set(bytes);
}
