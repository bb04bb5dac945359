import { RouseError } from '../../model/errors.ts';
import type { MoverDisk } from '../../movers/config.ts';
import type { RecoveryMoversOf } from './movers.ts';

/** What a mover is told of its disks when it is started: where their targets are at this moment. */
export async function moverDisks({
	disks,
	targets,
}: Pick<RecoveryMoversOf, 'disks' | 'targets'>): Promise<MoverDisk[]> {
	const found = await targets();
	return disks.map((disk, index) => {
		const target = found[index];
		if (target === undefined) throw new RouseError('internal', `the platform has no target for ${disk.name}`);
		const { path, identity, offsetBytes } = target;
		return { ...disk, target: { path, identity, offsetBytes } };
	});
}
