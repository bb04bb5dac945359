/** What of an instance's description is a configuration of ours, and what of it keeps a machine from starting elsewhere. */
import { exactBytes } from '../../model/format-bytes.ts';
import { maxCpus, maxNics, memoryLimitsMiB, type StatedSpec } from '../../model/machine.ts';
import { printableText } from '../../model/printable-text.ts';
import type { SourceMachine } from '../machine/documents.ts';
import { type GceDescribed, type GceInstance, lastPart } from './instance.ts';

const gib = 2 ** 30;
/** As the manifest has them (model/source-facts.ts), with room for what is not of the instance. */
const mostLabels = 8;
const mostLeftOut = 32;

export function configurationOf({ instance, type }: GceDescribed): StatedSpec {
	const [boot] = instance.disks;
	const config: StatedSpec = {
		cpus: Math.min(type.guestCpus, maxCpus),
		memoryMiB: Math.min(Math.max(type.memoryMb, memoryLimitsMiB.least), memoryLimitsMiB.most),
		nics: nicsOf(instance),
		// Also for Windows, whose registry Google has say so: `RealTimeIsUniversal` in compute-image-tools, image_import/windows/translate.ps1.
		clock: 'utc',
	};
	const features = (boot?.guestOsFeatures ?? []).map(feature => feature.type);
	// Without it either is possible: some disks are made for both, and the tables of partitions tell.
	if (features.includes('UEFI_COMPATIBLE')) {
		config.firmware = 'efi';
		const { enableSecureBoot = false, enableVtpm = false } = instance.shieldedInstanceConfig ?? {};
		config.secureBoot = enableSecureBoot;
		config.vtpm = enableVtpm;
	}
	if (features.includes('WINDOWS')) config.os = 'windows';
	// Of SCSI it has virtio-scsi, which says nothing of the virtio disks that machines get here.
	if (boot?.interface === 'NVME') config.drivers = ['nvme'];
	return config;
}

/** An instance tells no MAC address: each NIC gets one that is derived from the machine's name. */
function nicsOf({ networkInterfaces }: GceInstance): NonNullable<StatedSpec['nics']> {
	return networkInterfaces.slice(0, maxNics).map(({ network, subnetwork }) => ({
		network: printableText(lastPart(subnetwork ?? network ?? ''), 80) || 'default',
	}));
}

/** Further names, for `ids` of a machine. */
export function idsOf({ address, instance }: GceDescribed): Record<string, string> {
	const { project, zone } = address;
	const labels = Object.entries(instance.labels)
		.filter(([name, value]) => /^[a-z0-9-]{1,34}$/.test(name) && value !== '')
		.toSorted(([a], [b]) => (a < b ? -1 : 1))
		.slice(0, mostLabels)
		.map(([name, value]) => [`label-${name}`, value] as const);
	const known = [
		['project', project],
		['zone', zone],
		['instance', instance.name],
		['instanceId', instance.id],
		['machineType', lastPart(instance.machineType)],
		...labels,
	] as const;
	return Object.fromEntries(known.map(([name, value]) => [name, printableText(value, 200) || '?']));
}

/** Disks of the instance that none of the archives can be: they are taken in the order of the instance. */
export function leftOutOf({ instance }: GceDescribed, archives: number): SourceMachine['leftOut'] {
	const scratch = instance.disks.filter(isScratch).map(({ deviceName }) => ({
		what: nameOf(deviceName),
		why: 'it is a local SSD: no image has it, and it is empty after each stop',
	}));
	const further = instance.disks
		.filter(disk => !isScratch(disk))
		.slice(archives)
		.map(({ deviceName }) => ({ what: nameOf(deviceName), why: 'no archive of it was named' }));
	return [...further, ...scratch].slice(0, mostLeftOut);
}

export function doubtsOf({ instance, type }: GceDescribed, archives: readonly { sizeBytes: number }[]): string[] {
	const disks = instance.disks.filter(disk => !isScratch(disk));
	const doubts: string[] = [];
	// Disks that were made long ago say none.
	const architectures = [disks[0]?.architecture, type.architecture];
	if (architectures.includes('ARM64')) doubts.push('it is made for ARM64: no x86-64 host can start it');
	if (type.guestCpus > maxCpus) doubts.push(`it has ${type.guestCpus} processors, of which ${maxCpus} are noted`);
	if (type.memoryMb > memoryLimitsMiB.most)
		doubts.push(`it has ${type.memoryMb} MiB of memory, of which ${memoryLimitsMiB.most} are noted`);
	if (instance.networkInterfaces.length > maxNics)
		doubts.push(`it has ${instance.networkInterfaces.length} NICs, of which ${maxNics} are noted`);
	if (archives.length !== disks.length)
		doubts.push(
			`the instance has ${count(disks.length, 'disk')}, and ${count(archives.length, 'archive')} of disks are given`,
		);
	for (const [number, { sizeBytes }] of archives.entries()) {
		const { diskSizeGb, deviceName = '' } = disks[number] ?? {};
		if (diskSizeGb === undefined || diskSizeGb * gib === sizeBytes) continue;
		const has = `disk${number} has ${exactBytes(sizeBytes)}`;
		doubts.push(
			`${has}, and ${nameOf(deviceName)} of the instance ${diskSizeGb} GiB: is it of that disk, and as it is now?`,
		);
	}
	return doubts.map(doubt => printableText(doubt, 300)).slice(0, 16);
}

/** Where it is attached, if it is of this size there. */
export function slotOf({ instance }: GceDescribed, number: number, sizeBytes: number): string | null {
	const disk = instance.disks.filter(one => !isScratch(one))[number];
	if (disk?.diskSizeGb === undefined || disk.diskSizeGb * gib !== sizeBytes) return null;
	return printableText(disk.deviceName, 80) || null;
}

function isScratch({ type }: { type: string }): boolean {
	return type === 'SCRATCH';
}

function nameOf(deviceName: string): string {
	return printableText(deviceName, 80) || 'a disk without a name';
}

function count(number: number, what: string): string {
	return number === 1 ? `one ${what}` : `${number} ${what}s`;
}
