import { listPins, pinPoint, unpinPoint } from '../pins.ts';
import { readPoint } from '../points.ts';
import { openRepository, type Repository } from '../repository.ts';
import type { RepositoryAccess } from './calls.ts';

/** In this process, which hangs with the repository: for a child that may be given up, and for who asks nothing else. */
export const directAccess: RepositoryAccess = {
	readPoint: (directory, machine, restorePoint, signal) =>
		withRepository(directory, repository => readPoint(repository, machine, restorePoint, signal)),
	pin: (directory, pin, signal) => withRepository(directory, repository => pinPoint(repository, pin, { signal })),
	unpin: (directory, recoveryId) => withRepository(directory, repository => unpinPoint(repository, recoveryId)),
	listPins: directory => withRepository(directory, listPins),
};

async function withRepository<T>(directory: string, work: (repository: Repository) => Promise<T>): Promise<T> {
	const repository = await openRepository(directory);
	try {
		return await work(repository);
	} finally {
		await repository.store.close();
	}
}
