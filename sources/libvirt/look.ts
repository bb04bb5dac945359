import { RouseError } from '../../model/errors.ts';
import type { DescribedDisk, SourceMachine } from '../machine/documents.ts';
import type { LibvirtAddress } from './address.ts';
import type { SizedDisk } from './begin.ts';
import { type Domain, domainIn } from './domain.ts';
import type { Virsh } from './virsh.ts';

/**
 * The domain at an address. virsh takes a number for an id, and whatever looks like one for a UUID, before it looks for a name: so what it has found is
 * compared, and is asked for by its UUID from then on. Throws `machine_unknown`.
 */
export async function lookAtDomain(
	virsh: Virsh,
	{ domain: wanted, uri }: Pick<LibvirtAddress, 'domain' | 'uri'>,
	signal: AbortSignal,
): Promise<Domain> {
	const domain = domainIn(await virsh('dumpxml', ['--domain', wanted], { signal }));
	if (domain.uuid === wanted.toLowerCase() || domain.name === wanted) return domain;
	throw new RouseError('machine_unknown', `${uri}: virsh finds ${domain.name} by that name`, {
		hint: `write its UUID instead: virsh domuuid ${wanted}`,
	});
}

/** Throws `identity_conflict` when another machine is at the address. */
export function mustBe({ uuid }: Domain, identity: string): void {
	if (uuid !== identity) throw new RouseError('identity_conflict', `the machine there is ${uuid}, not ${identity}`);
}

export function mustRun({ name, isRunning }: Pick<Domain, 'name' | 'isRunning'>): void {
	if (!isRunning)
		throw new RouseError('source_unreachable', `${name} is off, and its disks are read through QEMU`, {
			hint: 'start it; or import the files of its disks',
			details: { off: true },
		});
}

/** Its disks with their sizes; those of 0 bytes are left out. */
export async function sizedDisks(
	virsh: Virsh,
	{ uuid, disks, leftOut }: Domain,
	signal: AbortSignal,
): Promise<{ disks: SizedDisk[]; leftOut: SourceMachine['leftOut'] }> {
	const capacities = capacitiesIn(await virsh('domblkinfo', ['--domain', uuid, '--all'], { signal }));
	const sized = disks.map(disk => ({ ...disk, sizeBytes: capacities.get(disk.target) ?? 0 }));
	const empty = sized.filter(({ sizeBytes }) => sizeBytes === 0);
	return {
		disks: sized.filter(({ sizeBytes }) => sizeBytes > 0),
		leftOut: [...leftOut, ...empty.map(({ key }) => ({ what: key.slice(0, 100), why: 'it has 0 bytes' }))].slice(0, 32),
	};
}

/** Lines of `TARGET CAPACITY ALLOCATION PHYSICAL`, below two of a head. */
export function capacitiesIn(table: string): Map<string, number> {
	return new Map(
		table.split('\n').flatMap(line => {
			const [, target, bytes] = /^\s*(\S+)\s+(\d+)\s/.exec(line) ?? [];
			return target === undefined ? [] : [[target, Number(bytes)]];
		}),
	);
}

export function describedDisk({ key, sizeBytes, slot, serial, sectors }: SizedDisk): DescribedDisk {
	return { key, sizeBytes, slot, serial, sectors };
}
