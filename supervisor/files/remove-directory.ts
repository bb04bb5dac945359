import { readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno, removeFileDurably, syncDirectory } from '../../system/durable-file.ts';
import type { RecoveryPlaces } from './places.ts';

/** Removes all of it; `last` is the record that says whose it is, so that a crash on the way leaves no orphan. */
export async function removeDirectory(places: RecoveryPlaces, last: string): Promise<void> {
	await rm(places.runDirectory, { recursive: true, force: true });
	try {
		for (const name of await readdir(places.directory)) {
			const path = join(places.directory, name);
			if (path !== last) await rm(path, { recursive: true, force: true });
		}
		await removeFileDurably(last);
		await rmdir(places.directory);
		await syncDirectory(join(places.directory, '..'));
	} catch (error) {
		if (!isErrno(error, 'ENOENT')) throw error;
	}
}
