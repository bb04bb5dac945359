import { chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import type { Context } from '../cli/command.ts';
import { whileLocked } from './held-lock.ts';
import { buildTemporal } from './temporal-build.ts';
import { downloadTemporal } from './temporal-download.ts';
import { temporalRelease } from './temporal-release.ts';
import { askVersion, atLeast } from './tool-version.ts';

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

/** Like {@link findTemporal}; when there is none it is downloaded or, without a way to the download, built. */
export async function provideTemporal(cacheDirectory: string, context: Context): Promise<FoundTemporal> {
	const found = await findTemporal(cacheDirectory);
	if (found) return found;
	const place = dirname(cachedTemporal(cacheDirectory));
	await mkdir(dirname(place), { recursive: true });
	// Two that build at once would take twice as long for the same file.
	return whileLocked(
		`${dirname(place)}/.lock`,
		async () => {
			const meanwhile = await findTemporal(cacheDirectory);
			if (meanwhile) return meanwhile;
			await makeTemporal(place, context);
			const made = await findTemporal(cacheDirectory);
			if (made) return made;
			throw new RouseError('tool_missing', `what was put at ${place} does not run`, { hint: `rm -r ${place}` });
		},
		context.signal,
	);
}

/** Filled beside its place and renamed when it runs: the cache never holds half of it. */
async function makeTemporal(place: string, context: Context): Promise<void> {
	const beside = await mkdtemp(join(dirname(place), '.make-'));
	const file = join(beside, 'temporal');
	try {
		const problem = await downloadTemporal(file, context);
		if (problem !== undefined) {
			context.output.talk(`the Temporal CLI could not be downloaded: ${problem}`);
			await buildTemporal(file, context);
		}
		const server = await serverVersion(file);
		if (server !== temporalRelease.server)
			throw new RouseError(
				'tool_missing',
				`expected a Temporal server ${temporalRelease.server}, got ${server ?? 'nothing that runs'}`,
				{
					hint: 'install the Temporal CLI by hand: https://docs.temporal.io/cli/setup-cli',
				},
			);
		await chmod(beside, 0o755); // mkdtemp's 0700 would hide it from a sudo to another user
		await rm(place, { recursive: true, force: true });
		await rename(beside, place);
	} finally {
		await rm(beside, { recursive: true, force: true });
	}
}

async function serverVersion(path: string): Promise<string | undefined> {
	return /Server (\d+\.\d+\.\d+)/.exec((await askVersion(path)).said)?.[1];
}
