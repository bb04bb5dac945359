import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { wholeSectors } from '../model/chunk-bounds.ts';
import { RouseError } from '../model/errors.ts';
import { exactBytes } from '../model/format-bytes.ts';
import { fileIdentity, isFileIdentity } from '../system/file-identity.ts';
import type { MoverDisk } from './config.ts';

/**
 * A disk's target, for reading or for writing as well. Throws what the system says when it cannot be opened, and
 * `identity_conflict` when it is another file than the one that was meant, or has no room for the disk. Looked at by the
 * handle: this is what will be read and written, whatever the path names by then.
 */
export async function openTarget({ name, image, target }: MoverDisk, mode: 'read' | 'write'): Promise<FileHandle> {
	// A target that is gone must not be made anew by opening it.
	const file = await open(target.path, mode === 'write' ? constants.O_RDWR : constants.O_RDONLY);
	try {
		const stats = await file.stat({ bigint: true });
		if (isFileIdentity(target.identity) && fileIdentity(stats) !== target.identity)
			throw new RouseError(
				'identity_conflict',
				`${target.path} is ${fileIdentity(stats)}, the target of ${name} is ${target.identity}`,
			);
		await expectWhole(file, target.path, target.offsetBytes + wholeSectors(image.sizeBytes));
		return file;
	} catch (error) {
		await file.close();
		throw error;
	}
}

/** A block device says 0 when it is asked for its size: its last sector tells whether it is there. */
async function expectWhole(file: FileHandle, path: string, endBytes: number): Promise<void> {
	const { bytesRead } = await file.read(Buffer.alloc(512), 0, 512, endBytes - 512);
	if (bytesRead === 512) return;
	const { size } = await file.stat();
	throw new RouseError(
		'identity_conflict',
		`target ${path} has ${exactBytes(size)} instead of ${exactBytes(endBytes)}`,
	);
}
