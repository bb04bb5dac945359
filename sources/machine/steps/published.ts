import { RouseError } from '../../../model/errors.ts';
import { keys } from '../../../repository/format/keys.ts';
import { pointExists } from '../../../repository/import/import-request.ts';
import { readPoint, type RestorePoint } from '../../../repository/points.ts';
import type { Repository } from '../../../repository/repository.ts';
import type { ImportOrder } from '../order.ts';

/** The point of this import, when it is there, durably. `point_exists` when its time is another one's. */
export async function publishedPoint(
	repository: Repository,
	{ machine, time, tag }: Pick<ImportOrder, 'machine' | 'time' | 'tag'>,
	signal: AbortSignal,
): Promise<RestorePoint | undefined> {
	try {
		const point = await readPoint(repository, machine, time, signal);
		if (point.manifest.importId !== tag) throw pointExists(machine, time);
		// Whoever put it there may not have come to this yet, and what an earlier one needs is dropped because of it.
		await repository.store.settle(keys.pointsOf(machine), signal);
		return point;
	} catch (error) {
		if (error instanceof RouseError && error.code === 'point_unknown') return undefined;
		throw error;
	}
}
