import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isErrno } from './durable-file.ts';

/**
 * A directory and those above it that are missing, each with `mode`; the first that was made, undefined when all were there.
 * Node 24's `mkdir` with `recursive` never ends in /proc, whose directories are there and answer ENOENT.
 */
export async function makeFolders(path: string, mode: number): Promise<string | undefined> {
	try {
		await mkdir(path, { mode });
		return path;
	} catch (error) {
		if (isErrno(error, 'EEXIST') && (await stat(path)).isDirectory()) return undefined;
		if (!isErrno(error, 'ENOENT') || dirname(path) === path) throw error;
	}
	const first = await makeFolders(dirname(path), mode);
	try {
		await mkdir(path, { mode });
	} catch (error) {
		if (!isErrno(error, 'EEXIST')) throw error; // else somebody was faster
	}
	return first ?? path;
}
