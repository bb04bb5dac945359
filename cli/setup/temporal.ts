import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
	cachedTemporal,
	type FoundTemporal,
	findTemporal,
	temporalRelease,
	temporalVersion,
} from '../../keeper/temporal-cli.ts';
import { RouseError } from '../../model/errors.ts';
import { whileLocked } from '../../system/held-lock.ts';
import { makeCache } from '../../system/installation.ts';
import type { Context } from '../terminal/command.ts';
import { buildTemporal } from './temporal-build.ts';
import { downloadTemporal } from './temporal-download.ts';

/** Like {@link findTemporal}; when there is none it is downloaded or, without a way to the download, built. */
export async function provideTemporal(cacheDirectory: string, context: Context): Promise<FoundTemporal> {
	await makeCache(cacheDirectory); // before a program in it is run
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
			context.output.message(`the Temporal CLI could not be downloaded: ${problem}`);
			await buildTemporal(file, context);
		}
		const { cli, server } = temporalRelease;
		const made = await temporalVersion(file);
		if (made?.cli !== cli || made.server !== server)
			throw new RouseError(
				'tool_missing',
				`expected Temporal ${cli} with server ${server}, got ${made ? `${made.cli} with ${made.server}` : 'nothing that runs'}`,
				{
					hint: 'install the Temporal CLI by hand: https://docs.temporal.io/cli/setup-cli',
				},
			);
		await rm(place, { recursive: true, force: true });
		await rename(beside, place);
	} finally {
		await rm(beside, { recursive: true, force: true });
	}
}
