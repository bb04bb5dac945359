/** What of a machine's disks is read how. */
import { RouseError } from '../../model/errors.ts';
import type { Consistency } from '../../model/source-facts.ts';
import type { Block } from './facts/blocks.ts';
import type { FarFacts } from './facts/facts.ts';
import type { ReportedVolume } from './facts/lvm-reports.ts';
import { everyBlock, type FarDisk } from './machine.ts';
import { isOurs } from './marks.ts';

export interface DiskLayout {
	key: string;
	path: string;
	sizeBytes: number;
	partitions: PartitionLayout[];
}

export interface PartitionLayout {
	path: string;
	startBytes: number;
	lengthBytes: number;
	use: 'live' | 'swap' | 'physical';
}

/** A volume that a snapshot is made of, or swap space. */
export interface VolumeLayout {
	group: string;
	name: string;
	path: string;
	sizeBytes: number;
	isSwap: boolean;
	/** What its snapshot holds: LVM tells a file system that is mounted to be still. */
	consistency: Consistency;
	/** Since the machine was started. */
	writtenBytes: number;
}

export interface Layout {
	disks: DiskLayout[];
	volumes: VolumeLayout[];
}

/** What is written to when a kernel or a boot loader is installed, and else not. */
const quietPoints = new Set(['/boot', '/boot/efi', '/efi', '/boot/firmware']);

/**
 * Throws `source_invalid` for what is written to and lies on no volume of LVM. `alreadyBegun`: what is in use now does not matter, since
 * that was looked at when the moment was begun.
 */
export function layoutOf(facts: FarFacts, disks: readonly FarDisk[], { alreadyBegun = false } = {}): Layout {
	const layouts = disks.map(disk => diskLayout(facts, disk, alreadyBegun));
	const paths = new Set(
		layouts.flatMap(({ partitions }) => partitions.flatMap(({ path, use }) => (use === 'physical' ? [path] : []))),
	);
	const groups = new Set<string>();
	for (const { pv_name: path, vg_name: group } of facts.physical) {
		if (group !== '' && paths.has(path)) groups.add(group);
	}
	const elsewhere = facts.physical.find(({ pv_name: path, vg_name: group }) => groups.has(group) && !paths.has(path));
	if (elsewhere !== undefined)
		throw refused(
			`${elsewhere.pv_name} belongs to group ${elsewhere.vg_name}, and is on none of the disks that are read`,
		);
	const blocks = new Map(disks.flatMap(({ block }) => everyBlock(block)).map(block => [block.name, block]));
	const volumes = facts.volumes
		.filter(volume => groups.has(volume.vg_name) && !isOurs(volume))
		.map(volume => volumeLayout(facts, volume, { block: blocks.get(volume.lv_dm_path), alreadyBegun }));
	if (volumes.every(({ isSwap }) => isSwap)) throw refused('none of its disks has a volume of LVM');
	return { disks: layouts, volumes };
}

/** Without snapshots: each disk is read as it lies there. */
export function liveLayout(disks: readonly FarDisk[]): Layout {
	return {
		volumes: [],
		disks: disks.map(({ key, block: { name, sizeBytes } }) => ({
			key,
			path: name,
			sizeBytes,
			partitions: [{ path: name, startBytes: 0, lengthBytes: sizeBytes, use: 'live' }],
		})),
	};
}

function diskLayout(facts: FarFacts, { key, block }: FarDisk, alreadyBegun: boolean): DiskLayout {
	const { name: path, sizeBytes, children } = block;
	const parts = children.filter(({ type }) => type === 'part');
	const partitions =
		parts.length === 0
			? [{ path, startBytes: 0, lengthBytes: sizeBytes, use: useOf(block, alreadyBegun) }]
			: parts.map(part => ({ path: part.name, ...placeOf(facts, part), use: useOf(part, alreadyBegun) }));
	return { key, path, sizeBytes, partitions };
}

function placeOf({ places }: FarFacts, { name }: Block) {
	const place = places.get(name.slice(name.lastIndexOf('/') + 1));
	if (place === undefined) throw refused(`nothing tells where ${name} lies on its disk`);
	return place;
}

function useOf({ name, fileSystem, mountPoints, children }: Block, alreadyBegun: boolean): PartitionLayout['use'] {
	if (fileSystem === 'LVM2_member') return 'physical';
	if (fileSystem === 'swap') return 'swap';
	if (alreadyBegun) return 'live';
	const [below] = children;
	if (below !== undefined) throw refused(`${name} is used by ${below.name} (${below.type})`);
	const written = mountPoints.find(point => !quietPoints.has(point));
	if (written !== undefined) throw refused(`${name} is mounted at ${written}, and is no volume of LVM`);
	return 'live';
}

function volumeLayout(
	facts: FarFacts,
	volume: ReportedVolume,
	{ block, alreadyBegun }: { block: Block | undefined; alreadyBegun: boolean },
): VolumeLayout {
	if (!alreadyBegun) mustTakeSnapshot(volume, block);
	const { vg_name: group, lv_name: name, lv_dm_path: path, lv_size: sizeBytes } = volume;
	// Of what lies on something else that lies on the volume, such as encryption, LVM knows no file system that it could tell.
	const isMounted = block !== undefined && block.mountPoints.length > 0;
	return {
		group,
		name,
		path,
		sizeBytes,
		isSwap: block?.fileSystem === 'swap',
		consistency: isMounted ? 'file-system' : 'crash',
		writtenBytes: facts.writtenBytes.get(`dm-${volume.lv_kernel_minor}`) ?? 0,
	};
}

/** By the letters of lvs(8). */
function mustTakeSnapshot(
	{ vg_name: group, lv_name: name, lv_attr: attributes }: ReportedVolume,
	block: Block | undefined,
): void {
	const title = `${group}/${name}`;
	if (/^[sS]/.test(attributes)) throw refused(`${title} is a snapshot of somebody else`);
	if (!/^[-o]/.test(attributes)) throw refused(`${title} is of a kind that has no such snapshots (${attributes})`);
	if (attributes[4] !== 'a') throw refused(`${title} is not active`);
	// It finds its disks by what is written on them: a snapshot would be taken for the volume itself when it is mounted next.
	if (block?.fileSystem === 'btrfs') throw refused(`${title} is Btrfs, which takes a snapshot of LVM for its own disk`);
}

function refused(why: string): RouseError {
	return new RouseError('source_invalid', `there is no one moment of this machine to be read: ${why}`, {
		hint: '`snapshot: none` at its source in config.yaml reads the disks while they are written to, which is of no one moment; a stopped machine can be read otherwise',
	});
}
