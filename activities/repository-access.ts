import type { Repository } from '../repository/repository.ts';

export interface ControlDependencies {
	openRepository: (directory: string) => Promise<Repository>;
}

/** Opened for each activity: what a worker keeps open it would also keep after the repository was moved away. */
export async function withRepository<T>(
	{ openRepository }: ControlDependencies,
	directory: string,
	work: (repository: Repository) => Promise<T>,
): Promise<T> {
	const repository = await openRepository(directory);
	try {
		return await work(repository);
	} finally {
		await repository.store.close();
	}
}
