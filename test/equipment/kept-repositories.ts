import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/**
 * Repositories that a test leaves are moved to where `ROUSE_TEST_KEEP_REPOSITORIES` says, in the file system of the temporary
 * directories, each with the name of its test beside it: for `python3 -m foreign each`. Without it they go with the test.
 */
export async function keepRepositories(directory: string, title: string | undefined): Promise<void> {
	const kept = process.env['ROUSE_TEST_KEEP_REPOSITORIES'];
	if (kept === undefined) return;
	await mkdir(kept, { recursive: true });
	const found = await readdir(directory, { recursive: true, withFileTypes: true });
	const headers = found.filter(({ name }) => name === 'rouse-repository' || name === 'rouse-repository.copy');
	for (const repository of new Set(headers.map(({ parentPath }) => parentPath))) {
		const place = join(kept, randomUUID());
		await rename(repository, place);
		const name = title ?? basename(dirname(repository));
		await writeFile(`${place}.txt`, `${basename(process.argv[1] ?? '')}: ${name}\n`);
	}
}
