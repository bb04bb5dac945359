import type { Config } from '../system/installation.ts';

/**
 * Plans and pins are made where repositories are. A host that reads from other machines alone, and takes its orders from
 * Temporal elsewhere, would be given such work for directories that it does not have.
 */
export function keepsControlWorker({
	temporal,
	repositories,
	repositoriesElsewhere,
}: Pick<Config, 'temporal' | 'repositories' | 'repositoriesElsewhere'>): boolean {
	const none = (named: object) => Object.keys(named).length === 0;
	return temporal.address === undefined || !none(repositories) || none(repositoriesElsewhere);
}
