import { stat } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import { RouseError } from '../model/errors.ts';
import { nameSchema } from '../model/names.ts';
import { configuredAs, unknownRepository } from '../system/configured-repositories.ts';
import { type Config, homeDirectory, loadConfig } from '../system/installation.ts';
import type { RepositoryElsewhere } from '../system/repository-elsewhere.ts';
import type { Context } from './terminal/command.ts';

/** The text of the option, the same at every command that has it. */
export const repositoryOption = [
	'--repo <dir|name>',
	'the repository (default: ROUSE_REPO, else the configured one)',
] as const;

/**
 * The absolute directory of the repository a command means: `--repo`, else `ROUSE_REPO`, else `defaultRepository` of
 * config.yaml, else its only one. A name that is configured wins over a directory of that name here; write `./name` for
 * the directory. Throws `repository_missing`; whether there is a repository in that directory is for its opener to say, and
 * one that is configured is not looked at: its file system may hang.
 */
export async function chooseRepository(
	context: Pick<Context, 'env'>,
	option: string | undefined,
	config?: Config,
): Promise<string> {
	const known = config ?? (await loadConfig({ home: homeDirectory(context.env) }));
	const wanted = option ?? (context.env['ROUSE_REPO'] || undefined);
	if (wanted !== undefined) return named(known, wanted) ?? (await directory(wanted, known));
	const names = Object.keys(known.repositories);
	const [single, ...more] = names.length > 0 ? names : Object.keys(known.repositoriesElsewhere);
	const only = known.defaultRepository ?? (more.length === 0 ? single : undefined);
	const found = only === undefined ? undefined : named(known, only);
	if (found !== undefined) return found;
	throw new RouseError(
		'repository_missing',
		only === undefined
			? `no repository was named, and config.yaml has ${names.length === 0 ? 'none' : `${names.length} and no defaultRepository`}`
			: `defaultRepository is "${only}", which config.yaml does not have under repositories`,
		{ hint: 'say --repo DIR, or set ROUSE_REPO; rouse repo init DIR makes a new one' },
	);
}

/**
 * The same for what workers and supervisor are to read: only what config.yaml names, however the option calls it.
 * `repository_unknown` for a directory that it does not.
 */
export async function chooseConfigured(
	context: Pick<Context, 'env'>,
	option: string | undefined,
	config: Config,
): Promise<string> {
	const chosen = await chooseRepository(context, option, config);
	const known = await configuredAs(config, chosen);
	if (known === undefined) throw unknownRepository(chosen);
	return known;
}

function named(config: Config, name: string): string | undefined {
	const elsewhere = Object.entries(config.repositoriesElsewhere).find(
		([called, to]) => called === name || to.directory === name,
	);
	if (elsewhere !== undefined) throw isElsewhere(...elsewhere);
	const path = Object.hasOwn(config.repositories, name) ? config.repositories[name] : undefined;
	if (path !== undefined) return resolve(path);
	return isAbsolute(name) && Object.values(config.repositories).includes(name) ? name : undefined;
}

/** Recoveries read it by its service; a command opens what is on its own machine. */
function isElsewhere(name: string, repository: RepositoryElsewhere): RouseError {
	const where = `${repository.directory} behind ${repository.host}`;
	return new RouseError('repository_missing', `repository ${name} is on another machine, as ${where}`, {
		hint: 'say this there, or name a repository of this machine: --repo DIR',
	});
}

async function directory(wanted: string, config: Config): Promise<string> {
	const path = resolve(wanted);
	const there = await stat(path).then(
		found => found.isDirectory(),
		() => false,
	);
	if (there) return path;
	const names = Object.keys(config.repositories);
	const hint = nameSchema.safeParse(wanted).success && names.length > 0 ? `configured: ${names.join(', ')}; or ` : '';
	throw new RouseError('repository_missing', `there is no repository "${wanted}": no directory ${path}`, {
		hint: `${hint}make one: rouse repo init ${wanted.includes('/') ? wanted : join('.', wanted)}`,
	});
}
