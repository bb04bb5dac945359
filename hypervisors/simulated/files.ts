import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno, temporarySuffix } from '../../system/durable-file.ts';
import { namesIn } from '../../system/names-in.ts';

/** Size of a file; undefined when it is not there. */
export async function sizeOf(path: string): Promise<number | undefined> {
	try {
		return (await stat(path)).size;
	} catch (error) {
		if (isErrno(error, 'ENOENT')) return undefined;
		throw error;
	}
}

/** Removes what a crash left of files that were to get these names. */
export async function removeTemporary(directory: string, names: readonly string[]): Promise<void> {
	for (const name of await namesIn(directory))
		if (name.endsWith(temporarySuffix) && names.some(own => name.startsWith(`${own}.`)))
			await rm(join(directory, name), { force: true });
}
