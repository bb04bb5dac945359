import { removeFile } from '../host-files.ts';
import type { HostParts } from '../parts.ts';
import { isWithin } from '../windows-paths.ts';
import { DriverRefusal } from './failure.ts';

/** Every file stands in the directory that it was said to be in. MAY find none. */
export async function removeFilesInside(host: HostParts, paths: readonly string[], directory: string): Promise<number> {
	let removed = 0;
	for (const path of paths) {
		if (!isWithin(path, directory)) throw new DriverRefusal('identity_conflict', `${path} is not in ${directory}`);
		if (await removeFile(host, path)) removed += 1;
	}
	return removed;
}
