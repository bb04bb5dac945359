import { wholeSectors } from '../../../model/chunk-bounds.ts';
import type { RecoveryRequest } from '../../../model/recovery.ts';
import { openRepository } from '../../../repository/repository.ts';
import { importDisks, wholeSource } from '../repositories.ts';
import { sampleDisk } from '../stored-disk.ts';

export interface StoredPoint extends Pick<RecoveryRequest, 'machine' | 'restorePoint' | 'manifestDigest'> {
	/** As a machine sees its disks: in whole sectors. */
	disks: Buffer[];
}

/** In an empty repository: two points of one machine, and one of another that has two disks. */
export async function storePoints(directory: string): Promise<StoredPoint[]> {
	const first = sampleDisk(3 * 1024 * 1024 + 700, 1);
	const second = Buffer.from(first);
	sampleDisk(600 * 1024, 2).copy(second, 1024 * 1024 + 300);
	const pair = [sampleDisk(2 * 1024 * 1024, 3), sampleDisk(1024 * 1024 + 9 * 512, 4)];
	const repository = await openRepository(directory);
	const points: StoredPoint[] = [];
	try {
		for (const [machine, hour, disks] of [
			['web01', '03', [first]],
			['web01', '04', [second]],
			['db01', '03', pair],
		] as const) {
			const time = `2026-11-20T${hour}:00:00.000Z`;
			const { manifestDigest } = await importDisks(repository, disks.map(wholeSource), { machine, time });
			points.push({ machine, restorePoint: time, manifestDigest, disks: disks.map(inWholeSectors) });
		}
	} finally {
		await repository.store.close();
	}
	return points;
}

function inWholeSectors(bytes: Buffer): Buffer {
	return Buffer.concat([bytes, Buffer.alloc(wholeSectors(bytes.length) - bytes.length)]);
}
