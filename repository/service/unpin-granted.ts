import type { RepositoryAccess } from '../access/calls.ts';
import type { Grants } from './grants.ts';

/** Of the installation that has the repository. */
export interface Granting {
	grants: Pick<Grants, 'end' | 'forget'>;
	access: Pick<RepositoryAccess, 'unpin'>;
}

/**
 * Takes the pin of a recovery away, and with it what its host was granted; succeeds when there is neither. From its beginning
 * there is no token any more, also where the repository is away.
 */
export async function unpinGranted(
	{ grants, access }: Granting,
	...[repository, recoveryId, signal]: Parameters<RepositoryAccess['unpin']>
): Promise<void> {
	await grants.end(recoveryId);
	await access.unpin(repository, recoveryId, signal);
	await grants.forget(recoveryId);
}
