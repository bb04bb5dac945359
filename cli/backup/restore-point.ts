import type { PointReference } from '../../model/names.ts';
import { type RestorePoint, resolvePoint } from '../../repository/points.ts';
import { readChosenPoint } from '../../repository/read-points.ts';
import { type Repository, withRepositoryIn } from '../../repository/repository.ts';
import { chooseRepository } from '../repository-choice.ts';
import type { Context } from '../terminal/command.ts';

/** Runs `use` with the repository that a command means, and closes it. */
export async function withRepository<T>(
	context: Pick<Context, 'env'>,
	option: string | undefined,
	use: (repository: Repository) => Promise<T>,
): Promise<T> {
	return await withRepositoryIn(await chooseRepository(context, option), use);
}

export async function findPoint(
	repository: Repository,
	{ machine, point }: PointReference,
	signal: AbortSignal,
): Promise<RestorePoint> {
	return await readChosenPoint(repository, machine, await resolvePoint(repository, machine, point, signal), signal);
}

export function titleOf({ manifest }: RestorePoint): string {
	return `${manifest.machine}@${manifest.time}`;
}
