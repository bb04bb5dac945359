import { chmod, mkdir, mkdtemp, open, readdir, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { findPostgres } from '../../keeper/postgres/programs.ts';
import { cachedServer, findServer } from '../../keeper/postgres/server-program.ts';
import { RouseError } from '../../model/errors.ts';
import { isErrno } from '../../system/durable-file.ts';
import { whileLocked } from '../../system/held-lock.ts';
import { cacheDirectory, makeCache } from '../../system/installation.ts';
import type { Context } from '../terminal/command.ts';
import { installPackages } from './packages.ts';
import { buildServer } from './temporal-build.ts';

/** Provides what Temporal on PostgreSQL needs besides the rest; quick and silent when it is there. Throws `tool_missing`. */
export async function providePostgres(context: Context): Promise<void> {
	if ((await findPostgres()).length === 0) await installWithoutCluster(context);
	await provideServer(cacheDirectory(context.env), context);
}

async function installWithoutCluster(context: Context): Promise<void> {
	const install = () => installPackages(['postgresql'], context);
	await (process.getuid?.() === 0 ? whileNoCluster(debianSettings, install) : install());
	if ((await findPostgres()).length === 0)
		throw new RouseError(
			'tool_missing',
			'the package postgresql was installed, and brought no server that is known here',
		);
}

const debianSettings = '/etc/postgresql-common/createcluster.d';

/**
 * Debian's package would make a cluster of its own and start a server, which takes memory and the usual port, and which nothing
 * here uses. Only while it is installed: what the machine's owner installs later is as Debian has it. `settings` goes again
 * where it was made here, and what it lies in as well; what is in them is not ours.
 */
export async function whileNoCluster<T>(settings: string, work: () => Promise<T>): Promise<T> {
	const first = await mkdir(settings, { recursive: true });
	const made = first === undefined ? [] : [settings, ...(first === settings ? [] : [dirname(settings)])];
	// The package leaves a directory that is there as it is, and with our umask it would be root's alone.
	for (const path of made) await chmod(path, 0o755);
	const setting = join(settings, 'rouse.conf');
	try {
		await writeFile(setting, 'create_main_cluster = false\n');
		return await work();
	} finally {
		await rm(setting, { force: true });
		for (const path of made) await rmdirIfEmpty(path);
	}
}

async function rmdirIfEmpty(path: string): Promise<void> {
	try {
		await rmdir(path);
	} catch (error) {
		if (!isErrno(error, 'ENOTEMPTY') && !isErrno(error, 'ENOENT')) throw error; // by now the package's
	}
}

const making = '.make-';

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
			for (const name of await readdir(dirname(place))) // what somebody died over
				if (name.startsWith(making)) await rm(join(dirname(place), name), { recursive: true, force: true });
			// Renamed when it is whole: the cache never holds half of it.
			const beside = await mkdtemp(join(dirname(place), making));
			try {
				const file = join(beside, basename(await cachedServer(cache)));
				await buildServer(file, context);
				await syncFile(file);
				await rm(place, { recursive: true, force: true });
				await rename(beside, place);
			} finally {
				await rm(beside, { recursive: true, force: true });
			}
		},
		context.signal,
	);
}

/** That it is there is all that is asked of it later: after a power loss it must not be there empty. */
async function syncFile(path: string): Promise<void> {
	const file = await open(path, 'r');
	try {
		await file.sync();
	} finally {
		await file.close();
	}
}
