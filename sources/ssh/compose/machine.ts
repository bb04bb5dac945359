/** All disks of a machine, each from what stands for its parts. */
import { createHash } from 'node:crypto';
import { RouseError } from '../../../model/errors.ts';
import { type Captured, groupOfPhysical } from '../capture.ts';
import type { DiskLayout, Layout, PartitionLayout } from '../layout.ts';
import type { RecordedSnapshot } from '../state.ts';
import { type Content, composeDisk } from './disk.ts';
import type { Part } from './parts.ts';
import type { VolumeOrigin } from './physical-volume.ts';

export interface ComposedDisk {
	key: string;
	sizeBytes: number;
	parts: Part[];
}

export interface Composition {
	layout: Layout;
	captured: Captured;
	snapshots: readonly Pick<RecordedSnapshot, 'group' | 'origin' | 'name'>[];
	/** Of its memory: what swap space begins with. */
	pageBytes: number;
}

export function composeMachine(composition: Composition): ComposedDisk[] {
	return composition.layout.disks.map(disk => ({
		key: disk.key,
		sizeBytes: disk.sizeBytes,
		parts: composeDisk({
			path: disk.path,
			sizeBytes: disk.sizeBytes,
			partitions: disk.partitions.map(partition => ({
				startBytes: partition.startBytes,
				lengthBytes: partition.lengthBytes,
				content: contentOf(composition, disk, partition),
			})),
		}),
	}));
}

function contentOf(composition: Composition, disk: DiskLayout, partition: PartitionLayout): Content {
	const { captured, pageBytes } = composition;
	if (partition.use === 'live') return { kind: 'live' };
	if (partition.use === 'swap') return { kind: 'swap', headerBytes: pageBytes };
	const found = captured.physical.find(one => one.disk === disk.key && one.startBytes === partition.startBytes);
	if (found === undefined) throw new RouseError('internal', `${partition.path} was not captured`);
	const group = groupOfPhysical(captured, found.id);
	const { id, areas } = found;
	const volumes = group === undefined ? new Map<string, VolumeOrigin>() : originsOf(composition, group.name);
	return { kind: 'physical', plan: { sizeBytes: partition.lengthBytes, id, areas, group, volumes } };
}

function originsOf({ layout, snapshots, pageBytes }: Composition, group: string): Map<string, VolumeOrigin> {
	const origins = new Map<string, VolumeOrigin>();
	for (const volume of layout.volumes) {
		if (volume.group !== group) continue;
		const snapshot = snapshots.find(one => one.group === group && one.origin === volume.name);
		if (volume.isSwap) origins.set(volume.name, { path: volume.path, lengthBytes: pageBytes, live: true });
		else if (snapshot !== undefined)
			origins.set(volume.name, { path: devicePath(group, snapshot.name), lengthBytes: volume.sizeBytes, live: false });
	}
	return origins;
}

/** As device-mapper names a volume: dashes of either name are doubled. */
export function devicePath(group: string, name: string): string {
	return `/dev/mapper/${group.replaceAll('-', '--')}-${name.replaceAll('-', '--')}`;
}

/** Names how a disk is composed: of the same name is the same map. */
export function layoutDigest({ sizeBytes, parts }: ComposedDisk): string {
	const digest = createHash('sha256').update(`${sizeBytes}\n`);
	for (const { offsetBytes, lengthBytes, from } of parts) {
		digest.update(`${offsetBytes} ${lengthBytes} ${from.kind}`);
		if (from.kind === 'bytes') digest.update(from.bytes);
		// Devices may be called otherwise after a start of the machine; where they lie is the same.
		if (from.kind === 'device') digest.update(` ${from.live} ${from.atBytes}`);
		digest.update('\n');
	}
	return digest.digest('hex');
}
