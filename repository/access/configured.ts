import type { RepositoryAccess } from './calls.ts';

/** Access to those repositories alone that `check` lets through: what is asked for comes in messages of others. */
export function onlyThose(access: RepositoryAccess, check: (repository: string) => Promise<void>): RepositoryAccess {
	return {
		readPoint: async (repository, ...of) => {
			await check(repository);
			return access.readPoint(repository, ...of);
		},
		pin: async (repository, ...of) => {
			await check(repository);
			await access.pin(repository, ...of);
		},
		unpin: async (repository, ...of) => {
			await check(repository);
			await access.unpin(repository, ...of);
		},
		listPins: async (repository, ...of) => {
			await check(repository);
			return access.listPins(repository, ...of);
		},
	};
}
