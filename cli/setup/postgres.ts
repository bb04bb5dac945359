import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { findPostgres } from '../../keeper/postgres/programs.ts';
import { cachedServer, findServer } from '../../keeper/postgres/server-program.ts';
import { RouseError } from '../../model/errors.ts';
import { whileLocked } from '../../system/held-lock.ts';
import { exists } from '../../system/if-there.ts';
import { cacheDirectory, makeCache } from '../../system/installation.ts';
import type { Context } from '../terminal/command.ts';
import { installPackages } from './packages.ts';
import { buildServer } from './temporal-build.ts';

/** Provides what Temporal on PostgreSQL needs besides the rest; quick and silent when it is there. Throws `tool_missing`. */
export async function providePostgres(context: Context): Promise<void> {
	if ((await findPostgres()).length === 0) await installWithoutCluster(context);
	await provideServer(cacheDirectory(context.env), context);
}

const debianSettings = '/etc/postgresql-common/createcluster.d';

/**
 * Debian's package would make a cluster of its own and start a server, which takes memory and the usual port, and which nothing
 * here uses. Only while it is installed: what the machine's owner installs later is as Debian has it.
 */
async function installWithoutCluster(context: Context): Promise<void> {
	const setting = join(debianSettings, 'rouse.conf');
	const isRoot = process.getuid?.() === 0;
	const wasThere = await exists(debianSettings);
	if (isRoot) {
		await mkdir(debianSettings, { recursive: true, mode: 0o755 });
		await writeFile(setting, 'create_main_cluster = false\n', { mode: 0o644 });
	}
	try {
		await installPackages(['postgresql'], context);
	} finally {
		if (isRoot) await rm(setting, { force: true });
		if (isRoot && !wasThere && (await findPostgres()).length === 0)
			await rm(dirname(debianSettings), { recursive: true });
	}
	if ((await findPostgres()).length === 0)
		throw new RouseError(
			'tool_missing',
			'the package postgresql was installed, and brought no server that is known here',
		);
}

async function provideServer(cache: string, context: Context): Promise<void> {
	await makeCache(cache); // before a program in it is run
	if (await findServer(cache)) return;
	const place = dirname(await cachedServer(cache));
	await mkdir(dirname(place), { recursive: true });
	// Two that build at once would take twice as long for the same file.
	await whileLocked(
		`${dirname(place)}/.lock`,
		async () => {
			if (await findServer(cache)) return;
			// Renamed when it is whole: the cache never holds half of it.
			const beside = await mkdtemp(join(dirname(place), '.make-'));
			try {
				await buildServer(join(beside, 'temporal-server'), context);
				await rm(place, { recursive: true, force: true });
				await rename(beside, place);
			} finally {
				await rm(beside, { recursive: true, force: true });
			}
		},
		context.signal,
	);
}
