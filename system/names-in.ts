import { readdir } from 'node:fs/promises';
import { isErrno } from './durable-file.ts';

/** What is in a directory; nothing where there is none. */
export async function namesIn(directory: string): Promise<string[]> {
	try {
		return await readdir(directory);
	} catch (error) {
		if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return [];
		throw error;
	}
}
