/** The metadata of LVM as it is before anything of ours is in it, and how it is found again later. */
import { createHash } from 'node:crypto';
import { readLabel } from '../../inspection/lvm/label.ts';
import { lvmSum, type MetadataArea, readArea, readText, textOf } from '../../inspection/lvm/metadata-area.ts';
import { parseLvmText } from '../../inspection/lvm/text.ts';
import type { Volume } from '../../inspection/volume.ts';
import { RouseError } from '../../model/errors.ts';
import type { CapturedArea } from './compose/physical-volume.ts';
import type { DiskLayout, Layout, PartitionLayout } from './layout.ts';
import { type Group, groupOf } from './lvm/group.ts';
import { momentLost } from './moment-lost.ts';
import type { Ranges } from './ranges.ts';
import type { RecordedArea } from './state.ts';

export interface CapturedPhysical {
	disk: string;
	startBytes: number;
	id: string;
	areas: CapturedArea[];
}

export interface Captured {
	physical: CapturedPhysical[];
	/** By name. */
	groups: Map<string, Group>;
}

/** `raw_locn.flags`: this text does not count, whatever it says. */
const ignoredFlag = 1;
/** By which the group that was captured before is made anew: how often it may change before the text is written over. */
const versionsPerSnapshot = 4;

/** Throws `source_invalid` for what is damaged or not understood, and `source_changed` when it is being changed. */
export async function capture(layout: Layout, ranges: Ranges, signal: AbortSignal): Promise<Captured> {
	const physical: CapturedPhysical[] = [];
	for (const { disk, partition } of physicalOf(layout)) {
		const volume = deviceVolume(ranges, partition, signal);
		const label = await readLabel(volume);
		if (label === undefined)
			throw new RouseError(
				'source_invalid',
				`${partition.path} has no label of LVM where LVM says that it is one of its own`,
			);
		const areas: CapturedArea[] = [];
		for (const at of label.areas) {
			const area = await readArea(volume, at);
			const text = area.text === undefined ? null : await readText(volume, area);
			mustBeWhole(area, text, partition.path);
			areas.push({ area, text });
		}
		physical.push({ disk: disk.key, startBytes: partition.startBytes, id: label.id, areas });
	}
	return { physical, groups: groupsIn(physical) };
}

/** LVM refuses a text whose sum is not that of its header, and with it the disk that would be put together. */
function mustBeWhole({ text: place }: MetadataArea, text: Buffer | null, path: string): void {
	if (place === undefined || text === null || (place.flags & ignoredFlag) !== 0) return;
	if (lvmSum(text) === place.checksum) return;
	throw new RouseError('source_changed', `what LVM has noted on ${path} is damaged, or was written while it was read`, {
		hint: 'begin anew; if that stays so: pvck --dump headers, there',
	});
}

/** As it was captured by another process, perhaps. `moment_lost` when it was written over since. */
export async function captureAgain(
	layout: Layout,
	recorded: readonly RecordedArea[],
	ranges: Ranges,
	signal: AbortSignal,
): Promise<Captured> {
	const physical: CapturedPhysical[] = [];
	for (const { disk, partition } of physicalOf(layout)) {
		const volume = deviceVolume(ranges, partition, signal);
		const label = await readLabel(volume);
		if (label === undefined) throw momentLost(`${partition.path} is no physical volume of LVM any more`);
		const areas: CapturedArea[] = [];
		for (const one of recorded) {
			if (one.disk !== disk.key || one.startBytes !== partition.startBytes) continue;
			const { atBytes, sizeBytes, lengthBytes, fromBytes, checksum, flags } = one;
			const area = {
				atBytes,
				sizeBytes,
				text: lengthBytes === 0 ? undefined : { fromBytes, lengthBytes, checksum, flags },
			};
			const text = area.text === undefined ? null : await readText(volume, area);
			if (sha256Of(text) !== one.sha256)
				throw momentLost(`what LVM had noted on ${partition.path} when the moment was begun is written over`);
			areas.push({ area, text });
		}
		physical.push({ disk: disk.key, startBytes: partition.startBytes, id: label.id, areas });
	}
	return { physical, groups: groupsIn(physical) };
}

export function recordedAreas({ physical }: Captured): RecordedArea[] {
	return physical.flatMap(({ disk, startBytes, areas }) =>
		areas.map(({ area: { atBytes, sizeBytes, text: place }, text }) => ({
			disk,
			startBytes,
			atBytes,
			sizeBytes,
			fromBytes: place?.fromBytes ?? 0,
			lengthBytes: place?.lengthBytes ?? 0,
			checksum: place?.checksum ?? 0,
			flags: place?.flags ?? 0,
			sha256: sha256Of(text),
		})),
	);
}

/**
 * Whether the text will still be there when so many snapshots have been made: each change of a group is written behind the one before,
 * around and around.
 */
export function mustLast({ physical }: Captured, snapshots: number): void {
	for (const { areas } of physical)
		for (const { area, text } of areas) {
			const needed = (text?.length ?? 0) * (1 + versionsPerSnapshot * (snapshots + 1));
			if (needed > area.sizeBytes)
				throw new RouseError(
					'source_invalid',
					'the metadata areas of LVM are too small for what has to be noted in them',
					{
						hint: '`snapshot: none` at its source in config.yaml reads the disks while they are written to, which is of no one moment',
					},
				);
		}
}

function groupsIn(physical: readonly CapturedPhysical[]): Map<string, Group> {
	const groups = new Map<string, Group>();
	for (const { areas } of physical)
		for (const { area, text } of areas) {
			if (text === null || ((area.text?.flags ?? 0) & ignoredFlag) !== 0) continue;
			const group = groupOf(parseLvmText(textOf(text)));
			const known = groups.get(group.name);
			if (known !== undefined && (known.id !== group.id || known.seqno !== group.seqno))
				throw new RouseError('source_changed', `the disks of LVM group ${group.name} tell of different times`, {
					hint: 'vgck --updatemetadata, there, if that stays so',
				});
			groups.set(group.name, known ?? group);
		}
	for (const { members, name } of groups.values()) {
		const missing = members.find(member => !physical.some(({ id }) => id === member.id));
		if (missing !== undefined)
			throw new RouseError('source_invalid', `a disk of LVM group ${name} is not among those that are read`);
	}
	return groups;
}

export function groupOfPhysical({ groups }: Captured, id: string): Group | undefined {
	return [...groups.values()].find(({ members }) => members.some(member => member.id === id));
}

function physicalOf({ disks }: Layout): { disk: DiskLayout; partition: PartitionLayout }[] {
	return disks.flatMap(disk =>
		disk.partitions.flatMap(partition => (partition.use === 'physical' ? [{ disk, partition }] : [])),
	);
}

function deviceVolume(ranges: Ranges, { path, lengthBytes }: PartitionLayout, signal: AbortSignal): Volume {
	return {
		name: path,
		sizeBytes: lengthBytes,
		read: async (atBytes, length) => {
			const bytes = Buffer.alloc(length);
			if (length > 0) await ranges.read(path, atBytes, bytes, signal);
			return bytes;
		},
	};
}

function sha256Of(text: Buffer | null): string {
	return createHash('sha256')
		.update(text ?? '')
		.digest('hex');
}
