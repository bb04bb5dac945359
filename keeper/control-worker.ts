import type { Config } from '../system/installation.ts';

/**
 * Plans and pins are made where repositories are. A host that reads from another machine, and takes its orders from
 * Temporal elsewhere, would be given such work for directories that it does not have.
 */
export function keepsControlWorker({ temporal, repositoriesElsewhere }: Config): boolean {
	return temporal.address === undefined || Object.keys(repositoriesElsewhere).length === 0;
}
