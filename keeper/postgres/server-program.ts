import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkoutDirectory } from '../../system/checkout.ts';
import { exists } from '../../system/if-there.ts';

/** What Temporal's server with PostgreSQL is built from, here: Go cannot be fetched as a release that has just that. */
const serverModule = join(checkoutDirectory, 'tools', 'temporal');

/** Where it lies when it was built from what the checkout has now. */
export async function cachedServer(cacheDirectory: string): Promise<string> {
	const digest = createHash('sha256');
	const own = (await readdir(join(serverModule, 'server'))).toSorted().map(name => join('server', name));
	for (const name of ['go.mod', 'go.sum', ...own])
		digest.update(`${name}\n`).update(await readFile(join(serverModule, name)));
	return join(cacheDirectory, 'temporal-server', digest.digest('hex').slice(0, 16), 'temporal-server');
}

export async function findServer(cacheDirectory: string): Promise<string | undefined> {
	const path = await cachedServer(cacheDirectory);
	return (await exists(path)) ? path : undefined;
}
