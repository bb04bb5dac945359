import type { TemporalClient } from '../../client/connection.ts';
import { Imports } from '../../client/imports.ts';
import { asRouseError } from '../../model/errors.ts';
import { childStepsOf } from '../../sources/machine-child/children.ts';
import type { Config, Installation } from '../../system/installation.ts';
import { sourceIn } from '../../system/machine-sources.ts';
import { chooseConfigured } from '../repository-choice.ts';
import type { LeftoverFacts, SourceFacts } from './facts.ts';

/** A platform that has not answered by then is away, as far as this command goes. */
const platformLimitMs = 15_000;

/** What imports have left on the platforms of config.yaml. Repositories and platforms are opened by processes that may hang. */
export async function gatherSources(
	installation: Installation,
	config: Config,
	temporal: TemporalClient,
): Promise<SourceFacts[]> {
	const imports = new Imports(temporal);
	const look = async (name: string): Promise<SourceFacts> => {
		try {
			return { name, leftovers: await leftoversOf(name, { installation, config, imports }), problem: undefined };
		} catch (error) {
			const { code, message } = asRouseError(error);
			if (code === 'temporal_unreachable') throw error;
			return { name, leftovers: [], problem: message };
		}
	};
	return Promise.all(Object.keys(config.sources).map(look));
}

/**
 * What is there before and after a look that finds no import under way is nobody's: what one has that ends in between is gone then, or
 * its point's, and what one has that begins was not there before.
 */
async function leftoversOf(
	name: string,
	{ installation, config, imports }: { installation: Installation; config: Config; imports: Imports },
): Promise<LeftoverFacts[]> {
	const { machine, repository: named } = sourceIn(config, name);
	const repository = await chooseConfigured({ env: process.env }, named ?? undefined, config);
	const steps = childStepsOf(installation);
	const list = () => steps.leftovers({ source: name, repository }, machine, AbortSignal.timeout(platformLimitMs));
	const { repositoryId, leftovers: before } = await list();
	if (before.length === 0 || (await imports.isUnderWay({ machine, repositoryId }))) return [];
	const tags = new Set(before.map(({ tag }) => tag));
	return (await list()).leftovers.filter(({ tag }) => tags.has(tag));
}
