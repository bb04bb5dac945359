import { join } from 'node:path';
import { askVersion } from '../system/tool-version.ts';

/** The release that is fetched or built. */
export const temporalRelease = { cli: '1.8.2', server: '1.31.2' } as const;

/**
 * Releases that Rouse was tried with. Another one may know other options, or have services of which nobody here has looked at
 * what they open (workers/temporal-server.ts): an older and a newer one in PATH are passed over alike.
 */
export const temporalTried: readonly TemporalVersion[] = [temporalRelease];

export interface TemporalVersion {
	cli: string;
	/** Of the server inside. */
	server: string;
}

export interface FoundTemporal {
	path: string;
	/** Version of the server inside. */
	server: string;
	from: 'PATH' | 'cache';
}

export function cachedTemporal(cacheDirectory: string): string {
	return join(cacheDirectory, 'temporal', temporalRelease.cli, 'temporal');
}

/** Temporal's command line with its development server: from PATH when its release was tried, else from the cache. */
export async function findTemporal(cacheDirectory: string): Promise<FoundTemporal | undefined> {
	for (const [path, from] of [
		['temporal', 'PATH'],
		[cachedTemporal(cacheDirectory), 'cache'],
	] as const) {
		const found = await temporalVersion(path);
		if (found && temporalTried.some(({ cli, server }) => cli === found.cli && server === found.server))
			return { path, server: found.server, from };
	}
	return undefined;
}

export async function temporalVersion(path: string): Promise<TemporalVersion | undefined> {
	const said = /^temporal version (\S+) \(Server (\S+?)[,)]/m.exec((await askVersion(path)).said);
	const [, cli, server] = said ?? [];
	return cli !== undefined && server !== undefined ? { cli, server } : undefined;
}
