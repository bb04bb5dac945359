/** The description of a machine (OVF) as what an import needs of it. */
import { RouseError } from '../../model/errors.ts';
import { nameSchema } from '../../model/names.ts';
import type { StatedSpec } from '../../model/machine.ts';
import { parseXml, type XmlElement } from '../parse-xml.ts';
import { disksOf, type OvfDisk } from './disks.ts';
import { factsOf } from './facts.ts';
import { hardwareItems } from './items.ts';
import { attributeOf, childOf, childrenOf, ovf } from './names.ts';

export interface OvfMachine {
	/** As a machine of ours may be called; undefined where its name is none. */
	name: string | undefined;
	/** In the order in which its firmware meets them. */
	disks: OvfDisk[];
	stated: StatedSpec;
	/** Families of drivers without which it would not have run where it did. */
	drivers: string[];
	/** As sentences. */
	doubts: string[];
}

/** As much of one as is read; they have some kilobytes. */
export const maxDescriptorBytes = 4 * 2 ** 20;

/** Throws `source_invalid` when it is no description of one machine with disks. */
export function parseDescriptor(bytes: Buffer, path: string): OvfMachine {
	const envelope = parseXml(bytes, path);
	if (envelope.name !== 'Envelope' || !ovf.test(envelope.uri))
		throw new RouseError(
			'source_invalid',
			`${path} is no description of a machine (OVF): it begins with ${envelope.name.slice(0, 100)} of "${envelope.uri.slice(0, 200)}"`,
			{ hint: 'OVF 1 and 2 are read: export the machine in that form' },
		);
	try {
		return machineOf(envelope);
	} catch (error) {
		if (!(error instanceof RouseError)) throw error;
		throw new RouseError(error.code, `${path}: ${error.message}`, { hint: error.hint, cause: error });
	}
}

function machineOf(envelope: XmlElement): OvfMachine {
	const system = onlySystem(envelope);
	const sections = childrenOf(system, 'VirtualHardwareSection');
	const [hardware] = sections;
	const items = hardwareItems(envelope, hardware);
	const disks = disksOf(envelope, system, items);
	if (disks.length === 0) throw new RouseError('source_invalid', 'its machine has no hard disk');
	const { stated, doubts } = factsOf({ system, hardware, items });
	if (sections.length > 1) doubts.push(`of its ${sections.length} descriptions of hardware the first is taken`);
	const name = childOf(system, 'Name')?.text || attributeOf(system, 'id');
	return {
		name: nameSchema.safeParse(name?.toLowerCase()).data,
		disks,
		stated,
		// A guest that finds its disks by virtio-scsi need not have what finds virtio's own.
		drivers: disks[0]?.bus === 'virtio' ? ['virtio'] : [],
		doubts,
	};
}

function onlySystem(envelope: XmlElement): XmlElement {
	const systems = systemsOf(envelope);
	const [system] = systems;
	if (system !== undefined && systems.length === 1) return system;
	if (system === undefined) throw new RouseError('source_invalid', 'it describes no machine');
	const names = systems.map(one => attributeOf(one, 'id') ?? '?').join(', ');
	throw new RouseError('source_invalid', `it describes ${systems.length} machines: ${names.slice(0, 500)}`, {
		hint: 'export each by itself, or unpack it and import the disks of each',
	});
}

/** Also within collections, which may lie within each other. */
function systemsOf(element: XmlElement): XmlElement[] {
	const inCollections = childrenOf(element, 'VirtualSystemCollection').flatMap(systemsOf);
	return [...childrenOf(element, 'VirtualSystem'), ...inCollections];
}
