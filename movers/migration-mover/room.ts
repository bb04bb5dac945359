import { stat, statfs } from 'node:fs/promises';
import { RouseError } from '../../model/errors.ts';
import { formatBytes } from '../../model/format-bytes.ts';

/**
 * What a copy leaves free on the target's file system when the target still grows into it: the guest's own writes land
 * there as well, and a guest that finds no room stands still, while a copy can wait.
 */
export const lowWaterBytes = 128 * 1024 * 1024;

/** Bytes that this user may still write to the file system under `path`; without end where that tells nothing of its size. */
export async function freeBytesAt(path: string): Promise<number> {
	const { blocks, bavail, bsize } = await statfs(path);
	// So a FUSE server without an answer of its own: QEMU's exports, for one.
	return blocks === 0 ? Number.POSITIVE_INFINITY : bavail * bsize;
}

/**
 * Throws `space_short` when filling a sparse target would take the last room; a target that has all its blocks takes
 * none.
 */
export async function expectRoom(targetPath: string, freeBytes: (path: string) => Promise<number>): Promise<void> {
	const stats = await stat(targetPath);
	// A block device grows elsewhere, if at all. Of stat(2) blocks are of 512 bytes whatever the file system's are.
	if (!stats.isFile() || stats.blocks * 512 >= stats.size) return;
	const free = await freeBytes(targetPath);
	if (free >= lowWaterBytes) return;
	throw new RouseError(
		'space_short',
		`${targetPath}: ${formatBytes(free)} are free, and the copy leaves ${formatBytes(lowWaterBytes)} to the guest`,
		{ hint: 'make room on this file system, then retry' },
	);
}
