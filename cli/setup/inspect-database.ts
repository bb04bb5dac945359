import { databaseOf } from '../../keeper/one-database.ts';
import { programsFor } from '../../keeper/postgres/programs.ts';
import { findServer } from '../../keeper/postgres/server-program.ts';
import { temporalRelease } from '../../keeper/temporal-cli.ts';
import { RouseError } from '../../model/errors.ts';
import { type Config, places } from '../../system/installation.ts';
import { type Check, inspectTool } from './tools.ts';

/** Of an installation that has its histories in PostgreSQL; nothing of others. */
export async function inspectDatabase(home: string, cache: string, config: Config | undefined): Promise<Check[]> {
	if (config === undefined || config.temporal.address !== undefined || databaseOf(config) !== 'postgres') return [];
	return [await inspectPostgres(home), await inspectServer(cache)];
}

async function inspectPostgres(home: string): Promise<Check> {
	const about = { name: 'postgres', purpose: "keeps Temporal's histories" };
	try {
		const { postgres } = await programsFor(places.postgres(home));
		const probe = { command: postgres };
		const finding = await inspectTool({ ...about, debianPackage: 'postgresql', probe });
		return { ...finding, fix: finding.ok ? null : `look at ${postgres} --version` };
	} catch (error) {
		if (!(error instanceof RouseError)) throw error;
		return { ...about, ok: false, version: null, problem: error.message, fix: error.hint ?? null };
	}
}

async function inspectServer(cache: string): Promise<Check> {
	const about = { name: 'temporal-server', purpose: 'Temporal on PostgreSQL' };
	if ((await findServer(cache)) !== undefined)
		return { ...about, ok: true, version: `server ${temporalRelease.server}`, problem: null, fix: null };
	const problem = 'not built from what this checkout has in tools/temporal';
	return { ...about, ok: false, version: null, problem, fix: 'rouse up --temporal postgres' };
}
