import { RouseError } from '../../model/errors.ts';
import type { Clock } from '../../system/clock.ts';
import type { MoverDisk } from '../config.ts';
import { openTarget } from '../open-target.ts';
import { restoredMapIdentity } from '../restored-map/identity.ts';
import { openRestoredMapReader } from '../restored-map/reader.ts';
import { LocalDisk } from './local-disk.ts';
import { TargetFile } from './target-file.ts';

/** `identity_conflict` when the map belongs to another recovery or target, `io_failed` when a file cannot be opened. */
export async function openLocalDisk(
	recoveryId: string,
	disk: MoverDisk,
	clock: Pick<Clock, 'now'>,
): Promise<LocalDisk> {
	const { image, target, mapPath } = disk;
	const file = await openTarget(disk, 'read').catch((cause: unknown) => {
		if (cause instanceof RouseError) throw cause;
		throw new RouseError('io_failed', `target ${target.path} cannot be opened`, { cause });
	});
	try {
		const map = await openRestoredMapReader(mapPath, restoredMapIdentity(recoveryId, image, target.identity));
		return new LocalDisk(new TargetFile(target, file, clock), map);
	} catch (error) {
		await file.close();
		throw error;
	}
}
