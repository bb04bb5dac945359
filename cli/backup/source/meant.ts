import type { ImportName, Imports } from '../../../client/imports.ts';
import { RouseError } from '../../../model/errors.ts';
import { withRepositoryIn } from '../../../repository/repository.ts';
import type { ImportPlaces } from '../../../sources/machine-child/calls.ts';
import type { Config } from '../../../system/installation.ts';
import { sourceIn } from '../../../system/machine-sources.ts';
import { chooseConfigured } from '../../repository-choice.ts';
import type { Context } from '../../terminal/command.ts';

export interface MeantSource {
	machine: string;
	places: ImportPlaces;
}

/** What the name of a source means: which machine in which repository, which is opened for its id. */
export async function sourceMeant(context: Pick<Context, 'env'>, name: string, config: Config): Promise<MeantSource> {
	const { machine } = sourceIn(config, name);
	const directory = await directoryOf(context, name, config);
	const repositoryId = await withRepositoryIn(directory, async ({ id }) => id);
	return { machine, places: { source: name, repository: directory, repositoryId } };
}

/**
 * Of what imports from a source are known by. Where there was one Temporal tells: a repository that hangs must not keep a person from
 * seeing and cancelling what hangs with it.
 */
export async function importMeant(
	context: Pick<Context, 'env'>,
	name: string,
	{ config, imports }: { config: Config; imports: Pick<Imports, 'list'> },
): Promise<ImportName> {
	const { machine } = sourceIn(config, name);
	const directory = await directoryOf(context, name, config);
	const latest = (await imports.list(machine)).find(({ repository }) => repository === directory);
	if (latest !== undefined) return { machine, repositoryId: latest.repositoryId };
	const { places } = await sourceMeant(context, name, config);
	return { machine, repositoryId: places.repositoryId };
}

async function directoryOf(context: Pick<Context, 'env'>, name: string, config: Config): Promise<string> {
	const { repository } = sourceIn(config, name);
	try {
		return await chooseConfigured(context, repository ?? undefined, config);
	} catch (error) {
		throw repository === null ? inNoRepository(error, name) : error;
	}
}

/** A command about a source has no --repo. */
function inNoRepository(error: unknown, source: string): unknown {
	if (!(error instanceof RouseError) || error.code !== 'repository_missing') return error;
	return new RouseError('repository_missing', `source ${source} names no repository: ${error.message}`, {
		hint: `write repository: NAME under sources of config.yaml, to ${source}`,
		cause: error,
	});
}
