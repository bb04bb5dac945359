import type { RepositoryAccess } from '../../repository/access/calls.ts';
import type { Grants } from '../../repository/service/grants.ts';

export interface ControlDependencies {
	repositories: RepositoryAccess;
	/** How a broker calls the repository in a directory. */
	repositoryName?: (directory: string) => Promise<string>;
	/** Of the hosts that read from other machines. */
	grants: Pick<Grants, 'give' | 'end' | 'forget'>;
}
