/** How large snapshots are. */
import { formatBytes } from '../../model/format-bytes.ts';
import { RouseError } from '../../model/errors.ts';
import type { FarFacts } from './facts/facts.ts';
import type { VolumeLayout } from './layout.ts';
import { mostSnapshots } from './state.ts';

const share = 0.2;
const leastBytes = 256 * 2 ** 20;
/** Some of a group is left to its owner. */
const usableShare = 0.95;
/** Of a volume that is written over as a whole, with the tables. */
const mostShare = 1.02;

export interface RoomFor {
	volume: VolumeLayout;
	extents: number;
	bytes: number;
}

/** For what is written to the volumes while they are read. Throws `space_short`, and `source_invalid` when they are too many. */
export function roomFor(volumes: readonly VolumeLayout[], { groups }: Pick<FarFacts, 'groups'>): RoomFor[] {
	const count = volumes.filter(({ isSwap }) => !isSwap).length;
	if (count > mostSnapshots)
		throw new RouseError(
			'source_invalid',
			`it has ${count} volumes, of which ${mostSnapshots} can be read as one moment`,
		);
	return groups.flatMap(({ vg_name: name, vg_free: freeBytes, vg_extent_size: extentBytes }) => {
		const ofGroup = volumes.filter(({ group, isSwap }) => group === name && !isSwap);
		const wished = ofGroup.map(({ sizeBytes }) =>
			Math.min(Math.max(sizeBytes * share, leastBytes), sizeBytes * mostShare + extentBytes),
		);
		const sum = wished.reduce((total, bytes) => total + bytes, 0);
		const scale = Math.min(1, (freeBytes * usableShare) / Math.max(1, sum));
		return ofGroup.map((volume, index) => {
			const wish = wished[index] ?? 0;
			const extents = Math.floor((wish * scale) / extentBytes);
			const bytes = extents * extentBytes;
			if (extents < 1 || bytes < Math.min(leastBytes, wish) / 4)
				throw new RouseError(
					'space_short',
					`LVM group ${name} has ${formatBytes(freeBytes)} free, too little for snapshots of ${ofGroup.length} volumes`,
					{ hint: `${formatBytes(Math.ceil(sum))} would be good: take from a volume, or add a disk to the group` },
				);
			return { volume, extents, bytes };
		});
	});
}
