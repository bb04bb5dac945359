import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import { exists, readIfThere } from '../../system/if-there.ts';
import { namesIn } from '../../system/names-in.ts';

/** The programs of one major version of PostgreSQL. */
export interface PostgresPrograms {
	major: number;
	postgres: string;
	initdb: string;
}

/** Where Debian and Ubuntu put each major version, beside one another. */
const root = '/usr/lib/postgresql';
/**
 * Temporal's schemas are for 12 and newer (schema/postgresql/v12 of its server), and make the extension btree_gin, which only from
 * 13 on who is no superuser may do: https://www.postgresql.org/docs/13/btree-gin.html.
 */
const leastMajor = 13;

export const installPostgres = 'apt-get install postgresql';

/** Those that are installed, the newest first. */
export async function findPostgres(): Promise<PostgresPrograms[]> {
	const found: PostgresPrograms[] = [];
	for (const name of await namesIn(root)) {
		const programs = { postgres: join(root, name, 'bin', 'postgres'), initdb: join(root, name, 'bin', 'initdb') };
		const there = (await exists(programs.postgres)) && (await exists(programs.initdb));
		const major = Number(name);
		if (there && major >= leastMajor) found.push({ major, ...programs });
	}
	return found.toSorted((one, other) => other.major - one.major);
}

/** A cluster's files are of one major version, and no other reads them: which, says PG_VERSION in them. */
export async function programsFor(cluster: string): Promise<PostgresPrograms> {
	const found = await findPostgres();
	const [newest] = found;
	const version = await readIfThere(join(cluster, 'PG_VERSION'));
	if (version === undefined) {
		if (newest) return newest;
		throw new RouseError('tool_missing', `there is no PostgreSQL ${leastMajor} or newer in ${root}`, {
			hint: installPostgres,
		});
	}
	const fitting = found.find(({ major }) => major === Number(version));
	if (fitting) return fitting;
	const others = found.length === 0 ? 'none is' : `installed is ${found.map(({ major }) => major).join(', ')}`;
	throw new RouseError('tool_missing', `${cluster} is of PostgreSQL ${version.trim()}, and ${others}`, {
		hint: `apt-get install postgresql-${version.trim()}; a newer one reads it after pg_upgrade(1) alone`,
	});
}

/** Whether a cluster lies there; half of one never does. */
export async function isCluster(directory: string): Promise<boolean> {
	return (await exists(directory)) && (await readdir(directory)).includes('PG_VERSION');
}
