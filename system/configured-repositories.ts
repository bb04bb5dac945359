/** The repositories that `config.yaml` names: the only ones that workers and supervisor touch because a message says so. */
import { realpath } from 'node:fs/promises';
import { RouseError } from '../model/errors.ts';
import { type Config, loadConfig } from './installation.ts';
import type { RepositoryElsewhere } from './repository-elsewhere.ts';

/**
 * Throws `repository_unknown` for a directory that the configuration does not name, as it stands at the call. Compared as
 * it is written there: nothing is looked up in file systems, of which one may hang, and nobody's link can change it.
 */
export type MustBeConfigured = (directory: string) => Promise<void>;

/** Of this machine. */
export function configuredOnly(installation: { home: string }): MustBeConfigured {
	return async directory => {
		const { repositories } = await loadConfig(installation);
		if (!Object.values(repositories).includes(directory)) throw unknownRepository(directory);
	};
}

/** Of this machine or another one: for who has movers read there, and opens nothing itself. */
export function configuredAnywhere(installation: { home: string }): MustBeConfigured {
	return async directory => {
		const config = await loadConfig(installation);
		if (Object.values(config.repositories).includes(directory) || elsewhereIn(config, directory)) return;
		throw unknownRepository(directory);
	};
}

/** The repository of another machine that is called so; undefined for any other. As the configuration stands at the call. */
export type FindElsewhere = (directory: string) => Promise<RepositoryElsewhere | undefined>;

export function configuredElsewhere(installation: { home: string }): FindElsewhere {
	return async directory => elsewhereIn(await loadConfig(installation), directory);
}

function elsewhereIn({ repositoriesElsewhere }: Config, directory: string): RepositoryElsewhere | undefined {
	return Object.values(repositoriesElsewhere).find(elsewhere => elsewhere.directory === directory);
}

export function unknownRepository(directory: string): RouseError {
	return new RouseError('repository_unknown', `config.yaml names no repository in ${directory}`, {
		hint: `if recoveries are to read it: rouse repo add NAME ${directory}`,
		details: { repository: directory },
	});
}

/** The configured directory that `directory` is, however it is written: a link to it, or behind one. */
export async function configuredAs({ repositories }: Config, directory: string): Promise<string | undefined> {
	const configured = Object.values(repositories);
	if (configured.includes(directory)) return directory;
	const real = await realOf(directory);
	for (const known of configured) if (real !== undefined && (await realOf(known)) === real) return known;
	return undefined;
}

async function realOf(path: string): Promise<string | undefined> {
	return realpath(path).catch(() => undefined);
}

/**
 * Writes a repository into `config.yaml`, which is else as it was, comments included; makes the file when there is none.
 * `name_conflict` when the name is another one's, or the directory has a name. Done already: false, nothing changes.
 */
export async function addRepository(installation: { home: string }, name: string, directory: string): Promise<boolean> {
	const config = await loadConfig(installation);
	const named = Object.hasOwn(config.repositories, name) ? config.repositories[name] : undefined;
	if (named === directory) return false;
	if (named !== undefined)
		throw new RouseError('name_conflict', `config.yaml has a repository ${name} in ${named}`, {
			hint: 'choose another name',
		});
	const elsewhere = Object.entries(config.repositoriesElsewhere).find(
		([called, to]) => called === name || to.directory === directory,
	);
	if (elsewhere !== undefined)
		throw new RouseError(
			'name_conflict',
			`config.yaml has ${elsewhere[0]} on another machine, as ${elsewhere[1].directory}`,
			{
				hint: 'a name and a directory mean one repository: take it from repositoriesElsewhere, or choose others',
			},
		);
	const known = await configuredAs(config, directory);
	const other = Object.entries(config.repositories).find(([, path]) => path === known)?.[0];
	if (other !== undefined)
		throw new RouseError('name_conflict', `config.yaml calls ${directory} "${other}" already`, {
			hint: `say --repo ${other}`,
		});
	const { changeConfig } = await import('./change-config.ts');
	await changeConfig(installation, document => {
		document.setIn(['repositories', name], directory);
		// What commands mean without --repo stays what it was, and the first one is it.
		const [only = name, ...more] = Object.keys(config.repositories);
		if (config.defaultRepository === undefined && more.length === 0) document.setIn(['defaultRepository'], only);
	});
	return true;
}
