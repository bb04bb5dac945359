import { extname } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import { exactBytes } from '../../model/format-bytes.ts';
import { bytesAt, type OpenedFile, openFile } from '../opened-file.ts';
import { archivePackage } from './archive.ts';
import { directoryPackage } from './directory.ts';
import type { OvfPackage } from './package.ts';

/** `path`: absolute, and ends with .ova or .ovf. Throws `source_invalid`. */
export async function openPackage(path: string, signal: AbortSignal): Promise<OvfPackage> {
	const file = await openFile(path, { follow: true });
	try {
		if (!file.found.isFile())
			throw new RouseError('source_invalid', `${path} is a device, and an appliance must be a file`);
		return extname(path).toLowerCase() === '.ova' ? await archivePackage(file, signal) : directoryPackage(file);
	} catch (error) {
		await file.handle.close();
		throw error;
	}
}

/** All of it, which is little. */
export async function textOf(file: OpenedFile, mostBytes: number): Promise<Buffer> {
	if (file.sizeBytes <= mostBytes) return await bytesAt(file, 0, file.sizeBytes);
	throw new RouseError(
		'source_invalid',
		`${file.path} has ${exactBytes(file.sizeBytes)}, and ${exactBytes(mostBytes)} at most are read`,
	);
}
