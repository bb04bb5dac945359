import type { BootFacts } from '../model/boot-facts.ts';
import { Allowance, boundedDisk, type ReadableDisk } from './bounded-disk.ts';
import { deviceNamesOn } from './device-names.ts';
import { openFileSystem } from './file-systems.ts';
import type { NamedFileSystem } from './file-node.ts';
import { readLinux } from './linux.ts';
import { logicalVolumes } from './lvm/logical-volumes.ts';
import { type PhysicalVolume, readPhysicalVolume } from './lvm/physical-volume.ts';
import { Notes } from './notes.ts';
import { type PartitionPlace, partitionsOf } from './partitions.ts';
import { unreadable, type Volume } from './volume.ts';
import { readWindows } from './windows.ts';

export interface DiskToInspect {
	disk: ReadableDisk;
	/** Undefined when it has no table. */
	partitions: readonly PartitionPlace[] | undefined;
}

export interface InspectLimits {
	/** Of all disks together. */
	mostBytes: number;
	timeoutMs: number;
}

export interface Inspection {
	boot: BootFacts;
	/** Of what was not looked at, that which looks damaged or was too much. */
	failures: readonly string[];
}

/** Enough for three kernels whose initramfs have 200 MiB each; on slow storage it ends by time. */
const defaultLimits: InspectLimits = { mostBytes: 2 ** 30, timeoutMs: 60_000 };

/**
 * A look at the disks of a machine, in their order: what they tell of how its system boots. Whatever is on them, it comes
 * back within its limits, and what could not be looked at is told; it throws the signal's reason alone.
 */
export async function inspectDisks(
	disks: readonly DiskToInspect[],
	signal: AbortSignal,
	{ mostBytes, timeoutMs }: InspectLimits = defaultLimits,
): Promise<Inspection> {
	const within = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
	const allowance = new Allowance(mostBytes, within);
	const notes = new Notes(allowance.signal);
	const facts: Omit<BootFacts, 'notLookedAt'> = { kernels: [], windows: null, deviceNames: [] };
	try {
		const fileSystems = await fileSystemsOn(disks, allowance, notes);
		for (const fileSystem of fileSystems) {
			const names = await deviceNamesOn(fileSystem, notes);
			facts.deviceNames = [...facts.deviceNames, ...names].slice(0, mostNames);
		}
		facts.windows = (await readWindows(fileSystems, notes)) ?? null;
		facts.kernels = await readLinux(fileSystems, notes);
		const hasSeenNone = facts.kernels.length === 0 && facts.windows === null;
		if (hasSeenNone && disks.some(({ disk }) => disk.access !== 'sequential'))
			notes.add('the system', noSystem(fileSystems));
	} catch (error) {
		signal.throwIfAborted();
		const late = within.aborted ? unreadable(`it took longer than ${timeoutMs / 1000} s`) : error;
		notes.fail('the rest', '', late);
	}
	return { boot: { ...facts, notLookedAt: [...notes.lines] }, failures: notes.failures };
}

const mostNames = 16;
const mostVolumes = 128;

async function fileSystemsOn(
	disks: readonly DiskToInspect[],
	allowance: Allowance,
	notes: Notes,
): Promise<NamedFileSystem[]> {
	const volumes: Volume[] = [];
	for (const [index, { disk, partitions }] of disks.entries()) {
		if (disk.access === 'sequential') {
			notes.fail('file systems', `disk${index}`, unreadable('it comes as a stream, which is read once'));
			continue;
		}
		const bounded = boundedDisk(disk, `disk${index}`, allowance);
		const found = await notes.unlessUnreadable('partitions', `disk${index}`, () => partitionsOf(bounded, partitions));
		volumes.push(...(found ?? []));
	}
	volumes.push(...(await volumesOfLvm(volumes, notes)));
	if (volumes.length > mostVolumes) throw unreadable(`there are ${volumes.length} partitions`);
	const fileSystems: NamedFileSystem[] = [];
	for (const volume of volumes) {
		const opened = await notes.unlessUnreadable('file system', volume.name, () => openFileSystem(volume));
		if (opened === undefined) continue;
		if (typeof opened === 'string') notes.add(volume.name, `${opened} is not read`);
		else fileSystems.push({ ...opened, where: volume.name });
	}
	return fileSystems;
}

/** In all groups of the machine: a volume may lie on several disks. */
async function volumesOfLvm(volumes: readonly Volume[], notes: Notes): Promise<Volume[]> {
	const physical: PhysicalVolume[] = [];
	for (const volume of volumes) {
		const found = await notes.unlessUnreadable('LVM', volume.name, () => readPhysicalVolume(volume));
		if (found !== undefined) physical.push(found);
	}
	const logical = await notes.unlessUnreadable('LVM', '', async () => logicalVolumes(physical));
	return (logical ?? []).flatMap(one => {
		if ('volume' in one) return [one.volume];
		notes.add(one.name, one.why);
		return [];
	});
}

function noSystem(fileSystems: readonly NamedFileSystem[]): string {
	if (fileSystems.length === 0) return 'no file system was found that can be read';
	return `neither a kernel of Linux nor Windows was found on ${fileSystems.map(({ where, kind }) => `${where} (${kind})`).join(', ')}`;
}
