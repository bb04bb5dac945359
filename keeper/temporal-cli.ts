import { join } from 'node:path';
import { askVersion, atLeast } from '../system/tool-version.ts';

/** The release that is fetched or built. */
export const temporalRelease = { cli: '1.8.2', server: '1.31.2' } as const;
/** Command lines with an older server do not know every option that we start it with (workers/temporal-server.ts). */
export const temporalServerLeast = '1.31';

export interface FoundTemporal {
	path: string;
	/** Version of the server inside. */
	server: string;
	from: 'PATH' | 'cache';
}

export function cachedTemporal(cacheDirectory: string): string {
	return join(cacheDirectory, 'temporal', temporalRelease.cli, 'temporal');
}

/** Temporal's command line with its development server: from PATH when recent enough, else from the cache. */
export async function findTemporal(cacheDirectory: string): Promise<FoundTemporal | undefined> {
	for (const [path, from] of [
		['temporal', 'PATH'],
		[cachedTemporal(cacheDirectory), 'cache'],
	] as const) {
		const server = await serverVersion(path);
		if (server !== undefined && atLeast(server, temporalServerLeast)) return { path, server, from };
	}
	return undefined;
}

export async function serverVersion(path: string): Promise<string | undefined> {
	return /Server (\d+\.\d+\.\d+)/.exec((await askVersion(path)).said)?.[1];
}
