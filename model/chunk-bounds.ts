/** Disks as machines see them consist of whole sectors; a source's size may end inside one. */
export const sectorBytes = 512;

export function wholeSectors(sizeBytes: number): number {
	return Math.ceil(sizeBytes / sectorBytes) * sectorBytes;
}

export const maxChunkBytes = 16 * 1024 * 1024;

/** Bounds of a frame of a chunk: powers of two. A chunk that is shorter is one frame. */
export const minFrameBytes = 16 * 1024;

/** A table of one frame, 4 + 36 bytes, and a byte. */
export const minStoredBytes = 41;

/** A chunk and its table of 1,024 frames: no number in a reference or a footer makes anybody allocate more. */
export const maxStoredBytes = maxChunkBytes + 4 + 36 * (maxChunkBytes / minFrameBytes);
