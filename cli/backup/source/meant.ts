import { openRepository } from '../../../repository/repository.ts';
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
	const { machine, repository: named } = sourceIn(config, name);
	const directory = await chooseConfigured(context, named ?? undefined, config);
	const repository = await openRepository(directory);
	try {
		return { machine, places: { source: name, repository: directory, repositoryId: repository.id } };
	} finally {
		await repository.store.close();
	}
}
