/** The disks of a machine, in the order in which its firmware meets them, and the files they are in. */
import { RouseError } from '../../model/errors.ts';
import type { ImageFormat } from '../image-format.ts';
import type { XmlElement } from '../parse-xml.ts';
import { type HardwareItem, resource } from './items.ts';
import { attributeOf, childOf, childrenOf, vmware } from './names.ts';
import { quantityBytes } from './units.ts';

/** A machine of ours has no more. Each is looked up among all that the description has. */
const maxDisks = 64;

export interface OvfDisk {
	/** As the description has it; undefined for a disk that is empty, and has no file. */
	href: string | undefined;
	/** Undefined where the description does not say. */
	format: ImageFormat | undefined;
	capacityBytes: number | undefined;
	/** Where it is connected, for people: "SCSI 0:1". */
	place: string;
	/** oVirt says it of the disk itself; empty elsewhere. */
	bus: string;
}

/** Controllers in the order in which firmware looks at them for disks, as far as all of it agrees. */
const kinds = ['IDE', 'SATA', 'SCSI', 'NVMe', 'disk'] as const;
type Kind = (typeof kinds)[number];

/** Throws `source_invalid` for disks that are not whole by themselves, and for names that lead to nothing. */
export function disksOf(envelope: XmlElement, system: XmlElement, items: readonly HardwareItem[]): OvfDisk[] {
	const hard = items.filter(({ type }) => type === resource.disk);
	if (hard.length > maxDisks)
		throw invalid(
			`its machine has ${hard.length} disks, and ${maxDisks} at most are kept`,
			'export it with fewer of them',
		);
	const described = childrenOf(childOf(envelope, 'DiskSection'), 'Disk');
	const byId = new Map(described.map(disk => [attributeOf(disk, 'diskId') ?? '', disk]));
	const bootId = bootInstance(system);
	const controllers = new Map(items.map((item, index) => [item.instanceId, { item, index }]));
	const placed = hard.map((item, index) => {
		const disk = diskOf(item, byId);
		const parent = item.parent === undefined ? undefined : controllers.get(item.parent);
		const kind = kindOf(parent?.item);
		const bus = Number(parent?.item.address ?? 0) || 0;
		const isBoot = item.instanceId === bootId || attributeOf(disk, 'boot') === 'true';
		const order = [isBoot ? 0 : 1, kinds.indexOf(kind), bus, parent?.index ?? 0, item.addressOnParent ?? 0, index];
		return { disk, order, place: `${kind} ${bus}:${item.addressOnParent ?? index}` };
	});
	return placed
		.toSorted((a, b) => firstDifference(a.order, b.order))
		.map(({ disk, place }) => factsOf(envelope, disk, place));
}

function firstDifference(a: readonly number[], b: readonly number[]): number {
	return a.map((value, index) => value - (b[index] ?? 0)).find(difference => difference !== 0) ?? 0;
}

/** What VMware boots first, where somebody has changed that. */
function bootInstance(system: XmlElement): string | undefined {
	const sections = childrenOf(system, 'BootOrderSection', vmware);
	const ofDisk = sections.find(section => attributeOf(section, 'type', vmware) === 'disk');
	return attributeOf(ofDisk, 'instanceId', vmware);
}

function kindOf(controller: HardwareItem | undefined): Kind {
	if (controller === undefined) return 'disk';
	const { type, subType } = controller;
	if (type === resource.ide) return 'IDE';
	if (subType.includes('nvme')) return 'NVMe';
	if (type === resource.scsi || /scsi|logic|sas/.test(subType)) return 'SCSI';
	return type === resource.storage ? 'SATA' : 'disk';
}

/** DSP0243: "ovf:/disk/ID", which VirtualBox writes without its beginning. */
function diskOf({ hostResource, instanceId }: HardwareItem, byId: ReadonlyMap<string, XmlElement>): XmlElement {
	const id = /^(?:ovf:)?\/{0,2}disk\/(.+)$/.exec(hostResource ?? '')?.[1];
	const disk = id === undefined ? undefined : byId.get(id);
	if (disk !== undefined) return disk;
	throw invalid(
		`its hard disk ${instanceId} is ${JSON.stringify(hostResource ?? 'nothing')}, which it does not describe`,
	);
}

function factsOf(envelope: XmlElement, disk: XmlElement, place: string): OvfDisk {
	const id = attributeOf(disk, 'diskId');
	if (attributeOf(disk, 'parentRef') !== undefined)
		throw invalid(
			`its disk ${id} is only a part: the rest is in disk ${attributeOf(disk, 'parentRef')}`,
			'export the machine without its snapshots',
		);
	const capacityBytes = quantityBytes(attributeOf(disk, 'capacity'), attributeOf(disk, 'capacityAllocationUnits'));
	const bus = attributeOf(disk, 'disk-interface')?.toLowerCase() ?? '';
	const fileRef = attributeOf(disk, 'fileRef');
	if (fileRef === undefined) {
		if (capacityBytes === undefined || capacityBytes === 0)
			throw invalid(
				`its disk ${id} has no file, and its size is not said: ${attributeOf(disk, 'capacity') ?? 'nothing'}`,
			);
		return { href: undefined, format: undefined, capacityBytes, place, bus };
	}
	const file = childrenOf(childOf(envelope, 'References'), 'File').find(one => attributeOf(one, 'id') === fileRef);
	const href = attributeOf(file, 'href');
	if (file === undefined || href === undefined)
		throw invalid(`its disk ${id} is in file ${fileRef}, which it does not name`);
	refuseWrapped(file, href);
	return { href, format: formatOf(disk, href), capacityBytes, place, bus };
}

function refuseWrapped(file: XmlElement, href: string): void {
	const compression = attributeOf(file, 'compression');
	if (compression !== undefined && compression !== 'identity')
		throw invalid(
			`${href} is compressed as a whole (${compression}), and can only be read from its beginning to its end`,
			`unpack it, and import the disks: ${compression === 'gzip' ? 'gzip -dc' : compression}`,
		);
	if (attributeOf(file, 'chunkSize') !== undefined)
		throw invalid(`${href} is cut into pieces`, `join them (cat ${href}.0* > FILE), and import the disks`);
}

/** "ovf:format" is the address of a specification, of which programs know several for each. */
function formatOf(disk: XmlElement, href: string): ImageFormat | undefined {
	// oVirt calls a raw disk VMDK, and says beside it what it is.
	const volume = attributeOf(disk, 'volume-format');
	if (volume === 'RAW') return 'raw';
	if (volume === 'COW') return 'qcow2';
	const uri = attributeOf(disk, 'format');
	if (uri === undefined) return undefined;
	const found = specifications.find(([pattern]) => pattern.test(uri))?.[1];
	if (found !== undefined) return found;
	throw invalid(
		`${href} is of format ${JSON.stringify(uri.slice(0, 200))}, which is not known`,
		'convert it to VMDK where it was made',
	);
}

const specifications: readonly (readonly [RegExp, ImageFormat])[] = [
	[/vmware\.com\/.*vmdk\.html(#\w+)?$/i, 'vmdk'],
	[/qcow/i, 'qcow2'],
	[/vhdx/i, 'vhdx'],
	[/LinkId=137171$|bb676673|vhd/i, 'vhd'],
	[/virtualbox\.org\/.*vdi/i, 'vdi'],
	[/(^|[/#.])raw$/i, 'raw'],
];

function invalid(what: string, hint = 'export the machine anew'): RouseError {
	return new RouseError('source_invalid', what, { hint });
}
