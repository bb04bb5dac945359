/** The hardware of a machine: DSP0243, "VirtualHardwareSection". */
import type { XmlElement } from '../parse-xml.ts';
import { attributeOf, childOf, childrenOf, cim, maxValueCharacters, ovf } from './names.ts';

/** CIM_ResourceAllocationSettingData.ResourceType: DMTF DSP1041, and the CIM schema. */
export const resource = {
	processor: 3,
	memory: 4,
	ide: 5,
	scsi: 6,
	ethernet: 10,
	disk: 17,
	/** Other storage: SATA, NVMe. */
	storage: 20,
} as const;

export interface HardwareItem {
	element: XmlElement;
	instanceId: string;
	type: number;
	/** In lower case; empty where there is none. */
	subType: string;
	parent: string | undefined;
	address: string | undefined;
	addressOnParent: number | undefined;
	hostResource: string | undefined;
	connection: string | undefined;
	quantity: string | undefined;
	units: string | undefined;
}

/** Those that hold in the machine's default configuration, in the order of the description. */
export function hardwareItems(envelope: XmlElement, section: XmlElement | undefined): HardwareItem[] {
	const chosen = defaultConfiguration(envelope);
	const items: HardwareItem[] = [];
	const places = new Map<string, number>();
	for (const element of childrenOf(section, ['Item', 'StorageItem', 'EthernetPortItem'])) {
		const of = attributeOf(element, 'configuration')?.split(/\s+/);
		if (of !== undefined && !of.includes(chosen ?? '')) continue;
		// Smallest and largest values stand beside the one that is meant.
		if (['min', 'max'].includes(attributeOf(element, 'bound') ?? '')) continue;
		const item = itemOf(element);
		// One of a configuration stands in the place of the one that has its number.
		const place = places.get(item.instanceId) ?? items.length;
		items[of === undefined ? items.length : place] = item;
		places.set(item.instanceId, place);
	}
	return items;
}

/** DSP0243, "DeploymentOptionSection": the one that is marked, or else the first. */
function defaultConfiguration(envelope: XmlElement): string | undefined {
	const options = childrenOf(childOf(envelope, 'DeploymentOptionSection'), 'Configuration');
	const marked = options.find(option => ['true', '1'].includes(attributeOf(option, 'default') ?? ''));
	return attributeOf(marked ?? options[0], 'id');
}

function itemOf(element: XmlElement): HardwareItem {
	const field = (name: string) => valueOf(childOf(element, name, cim));
	const number = (text: string | undefined) =>
		text !== undefined && /^\d{1,6}$/.test(text) ? Number(text) : undefined;
	return {
		element,
		// oVirt writes it in this way as well.
		instanceId: field('InstanceID') ?? field('InstanceId') ?? '',
		type: number(field('ResourceType')) ?? 0,
		subType: field('ResourceSubType')?.toLowerCase() ?? '',
		parent: field('Parent'),
		address: field('Address'),
		addressOnParent: number(field('AddressOnParent')),
		hostResource: field('HostResource'),
		connection: field('Connection'),
		quantity: field('VirtualQuantity'),
		units: field('AllocationUnits'),
	};
}

/** A field that only one program writes, in the namespace of CIM or of OVF. */
export function oddField({ element }: HardwareItem, name: string): string | undefined {
	return valueOf(childOf(element, name, cim) ?? childOf(element, name, ovf));
}

function valueOf(field: XmlElement | undefined): string | undefined {
	return field?.text.replaceAll(/\s+/g, ' ').slice(0, maxValueCharacters) || undefined;
}
