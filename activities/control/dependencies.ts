import type { RepositoryAccess } from '../../repository/access/calls.ts';

export interface ControlDependencies {
	repositories: RepositoryAccess;
}
