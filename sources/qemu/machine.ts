/** What a running QEMU tells of its machine. */
import * as z from 'zod';
import {
	maxCpus,
	maxNics,
	memoryLimitsMiB,
	macSchema,
	sectorSizeSchema,
	type StatedSpec,
} from '../../model/machine.ts';
import type { DescribedDisk, SourceMachine } from '../machine/documents.ts';
import { type Attached, lookAtDisks, lookAtIdentity, printed } from './look.ts';
import type { Monitor } from './monitor.ts';
import { type Device, devicesOf, type Properties, propertiesOf } from './objects.ts';

type LeftOut = SourceMachine['leftOut'];

/** A disk that is imported, and what QEMU knows of it. */
export interface LookedDisk {
	described: DescribedDisk;
	attached: Attached;
}

interface Looked {
	disk: LookedDisk;
	type: string;
	bootIndex: number;
}

export interface LookedMachine {
	identity: string;
	name: string;
	config: StatedSpec;
	disks: LookedDisk[];
	leftOut: LeftOut;
}

const cpusSchema = z.array(z.unknown());
const memorySchema = z.object({ 'base-memory': z.int(), 'plugged-memory': z.int().default(0) });

export async function lookAtMachine(monitor: Monitor): Promise<LookedMachine> {
	const { identity, name } = await lookAtIdentity(monitor);
	const { disks, leftOut, hasFlash } = await looked(monitor);
	const devices = await devicesOf(monitor);
	for (const { type, path } of devices)
		if (/^(vhost-user-|vhost-scsi|vfio-)/.test(type))
			leftOut.push(left(path, 'it is passed through: QEMU does not see what is written to it'));
	const nics = await nicsOf(monitor, devices);
	if (nics.length > maxNics) leftOut.push(left('network', `of ${nics.length} NICs the first ${maxNics} are imported`));
	const cpus = (await monitor.ask('query-cpus-fast', cpusSchema)).length;
	const memory = await monitor.ask('query-memory-size-summary', memorySchema);
	const memoryMiB = Math.floor((memory['base-memory'] + memory['plugged-memory']) / 2 ** 20);
	const types = [...disks.map(({ type }) => type), ...devices.map(({ type }) => type)];
	return {
		identity,
		name: printed(name),
		config: {
			...(cpus >= 1 && cpus <= maxCpus ? { cpus } : {}),
			...(memoryMiB >= memoryLimitsMiB.least && memoryMiB <= memoryLimitsMiB.most ? { memoryMiB } : {}),
			// Without flash memory it may have been given any firmware by -bios: then the disks tell.
			...(hasFlash ? { firmware: 'efi' as const } : {}),
			vtpm: devices.some(({ type }) => type.startsWith('tpm-')),
			nics: nics.slice(0, maxNics),
			drivers: [
				...(types.some(type => /^virtio-(blk|scsi|net)/.test(type)) ? ['virtio'] : []),
				...(types.some(type => type.startsWith('nvme')) ? ['nvme'] : []),
			],
		},
		disks: disks.map(({ disk }) => disk),
		leftOut: leftOut.slice(0, 32),
	};
}

/** Disks in the order in which the firmware tries them: those that were given a place, then the others. */
async function looked(monitor: Monitor): Promise<{ disks: Looked[]; leftOut: LeftOut; hasFlash: boolean }> {
	const disks: Looked[] = [];
	const leftOut: LeftOut = [];
	let hasFlash = false;
	for (const attached of await lookAtDisks(monitor)) {
		const properties = await propertiesOf(monitor, attached.device);
		const type = await properties.text('type');
		const isFlash = type?.includes('pflash') === true;
		hasFlash ||= isFlash;
		const why = whyNot(attached, type ?? '');
		if (isFlash) {
			if (!attached.readOnly)
				leftOut.push(left('variables of its firmware', 'they lie in flash memory, which is no disk'));
		} else if (why !== undefined) leftOut.push(left(attached.key, why));
		else disks.push(await lookedDisk(attached, type ?? '', properties));
	}
	return { disks: disks.toSorted((a, b) => a.bootIndex - b.bootIndex), leftOut, hasFlash };
}

function whyNot({ removable, readOnly, sizeBytes }: Attached, type: string): string | undefined {
	if (removable) return 'its medium can be taken out';
	if (/^scsi-(block|generic)$/.test(type)) return 'it is passed through: QEMU does not see what is written to it';
	if (readOnly) return 'the machine cannot write to it';
	return sizeBytes === 0 ? 'it has 0 bytes' : undefined;
}

async function lookedDisk(attached: Attached, type: string, properties: Properties): Promise<Looked> {
	const { key, device, sizeBytes } = attached;
	const [serial, bootIndex] = [await properties.text('serial'), await properties.number('bootindex')];
	const logical = sectorSizeSchema.safeParse(await properties.number('logical_block_size'));
	const physical = sectorSizeSchema.safeParse(await properties.number('physical_block_size'));
	const sectors =
		logical.success && physical.success
			? { logicalSectorBytes: logical.data, physicalSectorBytes: physical.data }
			: null;
	const described = {
		key,
		sizeBytes,
		slot: printed(device).slice(0, 80),
		serial: serial === undefined || serial === '' || serial.length > 40 ? null : serial,
		sectors,
	};
	const isPlaced = bootIndex !== undefined && bootIndex >= 0;
	return { disk: { described, attached }, type, bootIndex: isPlaced ? bootIndex : Number.MAX_SAFE_INTEGER };
}

const nicTypes = /^(virtio-net|e1000|rtl8139|vmxnet3|ne2k|pcnet|i8255|igb|usb-net|tulip)/;

async function nicsOf(monitor: Monitor, devices: readonly Device[]): Promise<NonNullable<StatedSpec['nics']>> {
	const nics: NonNullable<StatedSpec['nics']> = [];
	for (const { path, type } of devices) {
		if (!nicTypes.test(type)) continue;
		const properties = await propertiesOf(monitor, path);
		const mac = macSchema.safeParse(await properties.text('mac'));
		const network = await properties.text('netdev');
		if (!mac.success) continue; // a part of another device
		nics.push({ mac: mac.data, network: network === undefined || network === '' ? 'default' : network.slice(0, 80) });
	}
	return nics;
}

function left(what: string, why: string): LeftOut[number] {
	return { what: printed(what).slice(0, 100), why };
}
