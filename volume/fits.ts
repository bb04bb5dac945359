import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { RouseError } from '../model/errors.ts';
import { formatBytes } from '../model/format-bytes.ts';
import { isErrno, temporaryPath } from '../system/durable-file.ts';
import type { VolumeRequest } from './description.ts';
import { volumeGeometry } from './geometry.ts';

const gibibyte = 1024 ** 3;

/**
 * Throws `precheck_failed`, with both sizes in its details, when the file system of a directory has no files as large as
 * the volume's image, of which it need not hold more than its metadata. The file system is asked, not known by its name:
 * ext4 ends at 16 TiB with blocks of 4 KiB and at 4 TiB with those of 1 KiB, XFS at 8 EiB.
 */
export async function checkVolumeFits(directory: string, { files }: Pick<VolumeRequest, 'files'>): Promise<void> {
	const { imageBytes } = volumeGeometry({ files });
	const path = temporaryPath(join(directory, 'volume-size'));
	const file = await open(path, 'wx', 0o600);
	try {
		await rm(path);
		if (await canBe(file, imageBytes)) return;
		const largestBytes = (await largestGibibytes(file, Math.floor(imageBytes / gibibyte))) * gibibyte;
		const many = files.length === 1 ? 'its disk' : `its ${files.length} disks`;
		throw new RouseError(
			'precheck_failed',
			`the machine's volume would have ${formatBytes(imageBytes)} with ${many}, and files under ${directory} can have no more than ${formatBytes(largestBytes)}`,
			{
				hint: 'put that directory on XFS, which has files of 8 EiB; it takes only the space that is written',
				details: { neededBytes: imageBytes, largestBytes },
			},
		);
	} finally {
		await file.close();
	}
}

async function canBe(file: FileHandle, sizeBytes: number): Promise<boolean> {
	try {
		await file.truncate(sizeBytes);
		return true;
	} catch (error) {
		// EFBIG, or EINVAL: ftruncate(2).
		if (isErrno(error, 'EFBIG') || isErrno(error, 'EINVAL')) return false;
		throw error;
	}
}

/** The most that is possible below what is not. */
async function largestGibibytes(file: FileHandle, notPossible: number): Promise<number> {
	let low = 0;
	let high = notPossible;
	while (high - low > 1) {
		const middle = Math.floor((low + high) / 2);
		if (await canBe(file, middle * gibibyte)) low = middle;
		else high = middle;
	}
	return low;
}
