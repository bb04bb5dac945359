/** What was assumed of a machine since nobody knew it: neither who imported it, nor its source. */
import * as z from 'zod';
import { formatBytes } from './format-bytes.ts';
import type { MachineConfig } from './machine.ts';
import { readSourceFacts } from './source-facts.ts';

export const assumedMembers = ['cpus', 'memoryMiB', 'nics'] as const;
export type AssumedMember = (typeof assumedMembers)[number];

type Facts = Readonly<Record<string, unknown>>;

/** As `facts.unknown` of a manifest has them, where there is no `facts.source`: of disks that were imported by themselves. */
const unknownSchema = z.array(z.string()).catch([]);

/** Members of a restore point's configuration that were assumed, as far as its facts tell. */
export function assumedOf(facts: Facts): AssumedMember[] {
	const unknown = readSourceFacts(facts)?.unknown ?? unknownSchema.parse(facts['unknown']);
	return assumedMembers.filter(member => unknown.includes(member));
}

/** `2 vCPU, 4.00 GiB of memory, one NIC`; empty when there are none. */
export function assumedText(
	members: readonly AssumedMember[],
	{ cpus, memoryMiB, nics }: Pick<MachineConfig, AssumedMember>,
): string {
	const words: Readonly<Record<AssumedMember, string>> = {
		cpus: `${cpus} vCPU`,
		memoryMiB: `${formatBytes(memoryMiB * 1024 * 1024)} of memory`,
		nics: nics.length === 1 ? 'one NIC' : `${nics.length} NICs`,
	};
	return members.map(member => words[member]).join(', ');
}
