import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Every name below a directory, with the digest of what is in it. */
export async function treeOf(directory: string): Promise<string[]> {
	const entries = await readdir(directory, { recursive: true, withFileTypes: true });
	const lines = entries.map(async entry => {
		const path = join(entry.parentPath, entry.name);
		if (!entry.isFile()) return `${path}/`;
		return `${path} ${createHash('sha256')
			.update(await readFile(path))
			.digest('hex')}`;
	});
	return (await Promise.all(lines)).toSorted();
}
