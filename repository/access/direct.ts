import { listPins, pinPoint, unpinPoint } from '../pins.ts';
import { readPoint } from '../points.ts';
import { withRepositoryIn } from '../repository.ts';
import type { RepositoryAccess } from './calls.ts';

/** In this process, which hangs with the repository: for a child that may be given up, and for who asks nothing else. */
export const directAccess: RepositoryAccess = {
	readPoint: (directory, machine, restorePoint, signal) =>
		withRepositoryIn(directory, repository => readPoint(repository, machine, restorePoint, signal)),
	pin: (directory, pin, signal) => withRepositoryIn(directory, repository => pinPoint(repository, pin, { signal })),
	unpin: (directory, recoveryId) => withRepositoryIn(directory, repository => unpinPoint(repository, recoveryId)),
	listPins: directory => withRepositoryIn(directory, listPins),
};
