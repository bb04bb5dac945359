/** What a machine was, as its description tells: for each program its own way, read off what they write. */
import {
	type Firmware,
	isMulticast,
	macSchema,
	maxCpus,
	maxNics,
	memoryLimitsMiB,
	type OsFamily,
	type StatedSpec,
} from '../../model/machine.ts';
import { printableText } from '../../model/printable-text.ts';
import type { XmlElement } from '../parse-xml.ts';
import { type HardwareItem, oddField, resource } from './items.ts';
import { attributeOf, childOf, childrenOf, descendantsOf, virtualBox, vmware } from './names.ts';
import { osFamilyOf } from './os-family.ts';
import { quantityBytes } from './units.ts';

interface Described {
	system: XmlElement;
	hardware: XmlElement | undefined;
	items: readonly HardwareItem[];
}

export interface OvfFacts {
	stated: StatedSpec;
	/** What the description says and a restore point does not take, as sentences. */
	doubts: string[];
}

export function factsOf(described: Described): OvfFacts {
	const doubts: string[] = [];
	const { system, hardware, items } = described;
	const known: { [Fact in keyof StatedSpec]: StatedSpec[Fact] | undefined } = {
		cpus: cpusOf(items, doubts),
		memoryMiB: memoryOf(items, doubts),
		...firmwareOf(system, hardware),
		vtpm: vtpmOf(system, items),
		nics: nicsOf(system, items, doubts),
		os: familyOf(system),
	};
	const { cpus, memoryMiB, firmware, secureBoot, vtpm, nics, os } = known;
	const stated: StatedSpec = {
		...(cpus === undefined ? {} : { cpus }),
		...(memoryMiB === undefined ? {} : { memoryMiB }),
		...(firmware === undefined ? {} : { firmware }),
		...(secureBoot === undefined ? {} : { secureBoot }),
		...(vtpm === undefined ? {} : { vtpm }),
		...(nics === undefined ? {} : { nics }),
		...(os === undefined ? {} : { os }),
	};
	return { stated, doubts };
}

function cpusOf(items: readonly HardwareItem[], doubts: string[]): number | undefined {
	const [first] = items.filter(({ type }) => type === resource.processor);
	const cpus = Number(first?.quantity ?? Number.NaN);
	if (Number.isInteger(cpus) && cpus >= 1 && cpus <= maxCpus) return cpus;
	if (first !== undefined) doubts.push(`its number of processors is not taken: ${first.quantity ?? 'nothing'}`);
	return undefined;
}

function memoryOf(items: readonly HardwareItem[], doubts: string[]): number | undefined {
	const [first] = items.filter(({ type }) => type === resource.memory);
	const memoryMiB = Math.round((quantityBytes(first?.quantity, first?.units) ?? Number.NaN) / 2 ** 20);
	if (memoryMiB >= memoryLimitsMiB.least && memoryMiB <= memoryLimitsMiB.most) return memoryMiB;
	if (first !== undefined)
		doubts.push(`its memory is not taken: ${[first.quantity ?? 'nothing', first.units ?? 'without a unit'].join(' ')}`);
	return undefined;
}

interface FirmwareFacts {
	firmware?: Firmware | undefined;
	secureBoot?: boolean | undefined;
}

function firmwareOf(system: XmlElement, hardware: XmlElement | undefined): FirmwareFacts {
	const vsphere = vmwareFirmware(hardware);
	if (vsphere.firmware !== undefined) return vsphere;
	const type = attributeOf(ofVirtualBox(system, 'Hardware', 'Firmware')[0], 'type');
	// Whether it boots securely VirtualBox keeps in its NVRAM, a file of its own.
	if (type !== undefined) return { firmware: /^efi/i.test(type) ? 'efi' : 'bios' };
	return ovirtFirmware(childOf(system, 'BiosType')?.text);
}

/** Keys of vSphere's API (VirtualMachineConfigInfo), and those of a VMX. */
function vmwareFirmware(hardware: XmlElement | undefined): FirmwareFacts {
	const values = new Map(
		childrenOf(hardware, ['Config', 'ExtraConfig'], vmware).map(config => [
			attributeOf(config, 'key', vmware)?.toLowerCase(),
			attributeOf(config, 'value', vmware)?.toLowerCase(),
		]),
	);
	const firmware = values.get('firmware');
	const secure = values.get('bootoptions.efisecurebootenabled') ?? values.get('uefi.secureboot.enabled');
	return {
		firmware: firmware === 'efi' || firmware === 'bios' ? firmware : undefined,
		secureBoot: firmware !== 'efi' || secure === undefined ? undefined : secure === 'true',
	};
}

/** Numbers of oVirt's BiosType as its OvfWriter keeps them since 4.3: i440FX and Q35 with SeaBIOS, Q35 with OVMF, the same with Secure Boot. */
function ovirtFirmware(type: string | undefined): FirmwareFacts {
	if (type === '0' || type === '1') return { firmware: 'bios' };
	if (type === '2') return { firmware: 'efi', secureBoot: false };
	return type === '3' ? { firmware: 'efi', secureBoot: true } : {};
}

/** Only that there is one: who writes none may be of a version that never does. */
function vtpmOf(system: XmlElement, items: readonly HardwareItem[]): true | undefined {
	const isItem = items.some(item => item.subType === 'vmware.vtpm' || oddField(item, 'Device') === 'tpm');
	const ofBox = attributeOf(ofVirtualBox(system, 'Hardware', 'TrustedPlatformModule')[0], 'type');
	return isItem || (ofBox !== undefined && !/^none$/i.test(ofBox)) ? true : undefined;
}

/** Undefined where no hardware is described: then nobody knows, and there may be some. */
function nicsOf(system: XmlElement, items: readonly HardwareItem[], doubts: string[]): StatedSpec['nics'] {
	if (items.length === 0) return undefined;
	const found = items.filter(({ type }) => type === resource.ethernet);
	if (found.length > maxNics) doubts.push(`of its ${found.length} network cards the first ${maxNics} are kept`);
	const boxes = ofVirtualBox(system, 'Hardware', 'Network', 'Adapter').filter(
		adapter => attributeOf(adapter, 'enabled') === 'true',
	);
	const taken = new Set<string>();
	return found.slice(0, maxNics).map((item, index) => {
		const network = { network: printableText(item.connection ?? '', 80) || 'default' };
		// VirtualBox writes its cards in their order, each time with the same ones.
		const ofBox = boxes.length === found.length ? attributeOf(boxes[index], 'MACAddress') : undefined;
		const mac = macOf(oddField(item, 'MACAddress')) ?? macOf(item.address) ?? macOf(ofBox);
		if (mac === undefined) return network;
		if (taken.has(mac) || isMulticast(mac)) {
			doubts.push(
				`the MAC address ${mac} of its network card ${index + 1} is not taken: ${taken.has(mac) ? 'another one has it' : 'no card has a multicast address'}`,
			);
			return network;
		}
		taken.add(mac);
		return { mac, ...network };
	});
}

/** With colons, dashes, or nothing between its pairs. */
function macOf(text: string | undefined): string | undefined {
	const digits = text?.replaceAll(/[:-]/g, '');
	if (digits === undefined || !/^[\da-f]{12}$/i.test(digits)) return undefined;
	return macSchema.safeParse(digits.match(/../g)?.join(':')).data;
}

function familyOf(system: XmlElement): OsFamily | undefined {
	const section = childOf(system, 'OperatingSystemSection');
	const number = attributeOf(section, 'id');
	return osFamilyOf(number !== undefined && /^\d{1,5}$/.test(number) ? Number(number) : undefined, [
		attributeOf(section, 'osType', vmware),
		childOf(section, 'OSType', virtualBox)?.text,
		childOf(section, 'Description')?.text,
	]);
}

function ofVirtualBox(system: XmlElement, ...path: readonly string[]): XmlElement[] {
	return descendantsOf(childOf(system, 'Machine', virtualBox), ...path);
}
