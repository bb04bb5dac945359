/** What the description of a domain says: https://libvirt.org/formatdomain.html */
import { createHash } from 'node:crypto';
import { dirname, isAbsolute } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import {
	maxCpus,
	maxNics,
	memoryLimitsMiB,
	macSchema,
	sectorSizeSchema,
	type StatedSpec,
} from '../../model/machine.ts';
import type { XmlElement } from '../parse-xml.ts';
import type { DescribedDisk, SourceMachine } from '../machine/documents.ts';
import { attribute, documentOf, elementAt, elementsAt } from './xml.ts';

type LeftOut = SourceMachine['leftOut'];

/** A disk that is imported. Its size is not told here. */
export interface DomainDisk extends Omit<DescribedDisk, 'sizeBytes'> {
	/** By what libvirt calls it: `vda`. */
	target: string;
	/** Of a file. */
	directory: string | undefined;
	/** Whether its format can keep bitmaps. */
	keepsBitmaps: boolean;
}

export interface Domain {
	uuid: string;
	name: string;
	isRunning: boolean;
	/** In the order in which the firmware tries them. */
	disks: readonly DomainDisk[];
	leftOut: LeftOut;
	config: StatedSpec;
	hasIoThreads: boolean;
	/** Whether the agent has opened its channel. */
	hasAgent: boolean;
	/** As whom QEMU runs; undefined where libvirt does not set it, and it is libvirt's own user. */
	user: { uid: number; gid: number } | undefined;
}

export function domainIn(text: string): Domain {
	const root = documentOf(text);
	const [uuid, name] = ['uuid', 'name'].map(member => elementAt(root, member)?.text ?? '');
	if (root.name !== 'domain' || !uuid || !name)
		throw new RouseError('source_invalid', 'libvirt describes the machine without name or UUID');
	const leftOut = leftOutOf(root);
	const placed: { disk: DomainDisk; order: number }[] = [];
	for (const element of elementsAt(root, 'devices', 'disk')) {
		const disk = diskOf(element);
		const why = whyNot(element) ?? (placed.some(one => one.disk.key === disk.key) ? 'it is there twice' : undefined);
		if (why !== undefined) leftOut.push(left(disk.key, why));
		else
			placed.push({ disk, order: Number(attribute(elementAt(element, 'boot'), 'order') ?? Number.MAX_SAFE_INTEGER) });
	}
	return {
		uuid: printed(uuid),
		name: printed(name),
		isRunning: attribute(root, 'id') !== undefined,
		disks: placed.toSorted((a, b) => a.order - b.order).map(({ disk }) => disk),
		leftOut: leftOut.slice(0, 32),
		config: configOf(root),
		hasIoThreads: elementsAt(root, 'iothreads').some(({ text: count }) => Number(count) > 0),
		hasAgent: elementsAt(root, 'devices', 'channel', 'target').some(
			target => attribute(target, 'name') === 'org.qemu.guest_agent.0' && attribute(target, 'state') === 'connected',
		),
		user: userOf(root),
	};
}

function diskOf(element: XmlElement): DomainDisk {
	const [source, target, blockIo] = ['source', 'target', 'blockio'].map(name => elementAt(element, name));
	const dev = attribute(target, 'dev') ?? '';
	const file = attribute(source, 'file');
	const serial = elementAt(element, 'serial')?.text;
	const logical = sectorSizeSchema.safeParse(Number(attribute(blockIo, 'logical_block_size')));
	const physical = sectorSizeSchema.safeParse(Number(attribute(blockIo, 'physical_block_size')));
	return {
		key: keyOf(source) ?? printed(dev),
		target: dev,
		slot: printed(dev).slice(0, 80),
		serial: !serial || serial.length > 40 ? null : serial,
		sectors:
			logical.success && physical.success
				? { logicalSectorBytes: logical.data, physicalSectorBytes: physical.data }
				: null,
		directory: file !== undefined && isAbsolute(file) ? dirname(file) : undefined,
		keepsBitmaps: attribute(elementAt(element, 'driver'), 'type') === 'qcow2',
	};
}

/** Names the storage: path, device, volume, or what of which server. Undefined where there is none. */
function keyOf(source: XmlElement | undefined): string | undefined {
	const [path, volume] = [attribute(source, 'file') ?? attribute(source, 'dev'), attribute(source, 'volume')];
	const key = path ?? (volume === undefined ? ofServer(source) : `${attribute(source, 'pool') ?? ''}/${volume}`);
	if (key === undefined || /^\P{C}{1,200}$/u.test(key)) return key;
	return `sha256:${createHash('sha256').update(key).digest('hex')}`;
}

/** `nbd:data@host:10809`: two servers may have something of one name. Of Ceph without its monitors, which come and go. */
function ofServer(source: XmlElement | undefined): string | undefined {
	const protocol = attribute(source, 'protocol');
	if (source === undefined || protocol === undefined) return undefined;
	const servers = elementsAt(source, 'host').map(host =>
		['name', 'port', 'socket'].flatMap(part => attribute(host, part) ?? []).join(':'),
	);
	const at = protocol === 'rbd' || servers.length === 0 ? '' : `@${servers.join(',')}`;
	return `${protocol}:${attribute(source, 'name') ?? ''}${at}`;
}

/** Undefined for a disk that is imported. */
function whyNot(element: XmlElement): string | undefined {
	const device = attribute(element, 'device') ?? 'disk';
	const type = attribute(element, 'type') ?? '';
	const has = (name: string) => elementAt(element, name) !== undefined;
	if (device === 'cdrom' || device === 'floppy') return 'its medium can be taken out';
	if (device === 'lun' || type === 'vhostuser' || type === 'vhostvdpa' || type === 'nvme')
		return 'it is passed through: QEMU does not see what is written to it';
	if (has('readonly')) return 'the machine cannot write to it';
	if (has('shareable')) return 'other machines may write to it';
	return has('transient') ? 'what is written to it is thrown away' : undefined;
}

function leftOutOf(root: XmlElement): LeftOut {
	return [
		...elementsAt(root, 'os', 'nvram').map(() =>
			left('variables of its firmware', 'they lie in flash memory, which is no disk'),
		),
		...elementsAt(root, 'devices', 'hostdev').map(device =>
			left(
				`hostdev ${attribute(device, 'type') ?? ''}`,
				'it is passed through: QEMU does not see what is written to it',
			),
		),
		...elementsAt(root, 'devices', 'filesystem').map(one =>
			left(attribute(elementAt(one, 'target'), 'dir') ?? 'filesystem', 'it is a directory of the host, and no disk'),
		),
	];
}

function configOf(root: XmlElement): StatedSpec {
	const vcpu = elementAt(root, 'vcpu');
	const cpus = Number(attribute(vcpu, 'current') ?? vcpu?.text ?? 1);
	const memoryMiB = memoryOf(elementAt(root, 'memory'));
	const firmware = firmwareOf(root);
	const devices = ['disk', 'interface', 'controller'].flatMap(name => elementsAt(root, 'devices', name));
	const isVirtio = devices.some(device =>
		[
			attribute(elementAt(device, 'target'), 'bus'),
			attribute(elementAt(device, 'model'), 'type'),
			attribute(device, 'model'),
		].some(said => said?.startsWith('virtio') === true && attribute(device, 'type') !== 'virtio-serial'),
	);
	return {
		...(Number.isInteger(cpus) && cpus >= 1 && cpus <= maxCpus ? { cpus } : {}),
		...(memoryMiB >= memoryLimitsMiB.least && memoryMiB <= memoryLimitsMiB.most ? { memoryMiB } : {}),
		...(firmware === undefined ? {} : { firmware }),
		vtpm: elementsAt(root, 'devices', 'tpm').length > 0,
		nics: nicsOf(root),
		drivers: isVirtio ? ['virtio'] : [],
	};
}

/** Of a domain that runs libvirt says KiB; one that is off has them as somebody wrote them. */
const unitBytes: Readonly<Record<string, number>> = { b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

function memoryOf(element: XmlElement | undefined): number {
	const unit = (attribute(element, 'unit') ?? 'KiB').toLowerCase();
	return Math.floor((Number(element?.text) * (unitBytes[unit[0] ?? ''] ?? Number.NaN)) / 2 ** 20);
}

/** Without any loader it is SeaBIOS, where processors are Intel's; what another one is, the disks tell. */
function firmwareOf(root: XmlElement): StatedSpec['firmware'] {
	const [os, loader] = [elementAt(root, 'os'), elementAt(root, 'os', 'loader')];
	if (attribute(os, 'firmware') === 'efi' || attribute(loader, 'type') === 'pflash') return 'efi';
	const isPc = /^(x86_64|i686)$/.test(attribute(elementAt(root, 'os', 'type'), 'arch') ?? '');
	return isPc && loader === undefined ? 'bios' : undefined;
}

function nicsOf(root: XmlElement): NonNullable<StatedSpec['nics']> {
	return elementsAt(root, 'devices', 'interface')
		.flatMap(one => {
			const mac = macSchema.safeParse(attribute(elementAt(one, 'mac'), 'address'));
			const source = elementAt(one, 'source');
			const network = ['network', 'bridge', 'dev']
				.map(name => attribute(source, name))
				.find(name => name !== undefined);
			return mac.success ? { mac: mac.data, network: printed(network ?? 'default').slice(0, 80) } : [];
		})
		.slice(0, maxNics);
}

/** `+64055:+64055`: security labels of the model DAC. */
function userOf(root: XmlElement): Domain['user'] {
	const label = elementsAt(root, 'seclabel').find(one => attribute(one, 'model') === 'dac');
	const [, uid, gid] = /^\+(\d+):\+(\d+)$/.exec((label && elementAt(label, 'label'))?.text ?? '') ?? [];
	return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
}

function printed(text: string): string {
	return text.replaceAll(/\p{C}/gu, '?').slice(0, 200).toWellFormed();
}

function left(what: string, why: string): LeftOut[number] {
	return { what: printed(what).slice(0, 100), why };
}
