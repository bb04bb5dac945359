import { driverFamiliesIn } from '../../inspection/driver-families.ts';
import { inspectDisks } from '../../inspection/inspect.ts';
import type { BootFacts } from '../../model/boot-facts.ts';
import { asRouseError } from '../../model/errors.ts';
import { isMulticast, type MachineConfig, type StatedSpec } from '../../model/machine.ts';
import { printableText } from '../../model/printable-text.ts';
import type { StoredDisk } from '../../repository/stored-disk.ts';
import type { DiskFacts } from '../disk-facts.ts';
import { decideConfig, defaultSpec, type MachineSpec, specOf, unstated } from '../machine-spec.ts';
import { type PartitionTable, readPartitionTable } from '../partition-table.ts';
import type { SourceMachine } from './documents.ts';

/** Of a machine from a source: what a person says of it counts first, then what its platform tells. */
export interface Configured {
	/** Its name in the repository. */
	machine: string;
	spec: StatedSpec;
	described: SourceMachine;
}

/** Members that nobody knew, and that are assumed (model/machine.ts: 2 vCPU, 4 GiB, one NIC). */
export function unknownOf({ spec, described: { config } }: Configured): string[] {
	return unstated(spec, config);
}

/**
 * The configuration as far as it can be told before a byte is read. Throws `spec_invalid`: what would be refused in the end is
 * refused before hours of reading.
 */
export function checkConfigured(configured: Configured): void {
	configOf(configured, { tables: [], boot: null });
}

/**
 * What a machine was, looking into its disks as they were stored. A look that fails is told in the result, and fails no import;
 * only the signal's reason is thrown.
 */
export async function machineConfig(
	configured: Configured,
	disks: readonly StoredDisk[],
	signal: AbortSignal,
): Promise<MachineConfig> {
	try {
		const tables = await Promise.all(disks.map(disk => readPartitionTable(disk, signal)));
		const looked = disks.map((disk, index) => ({ disk, partitions: tables[index]?.partitions }));
		const { boot } = await inspectDisks(looked, signal);
		return configOf(configured, { tables, boot });
	} catch (error) {
		signal.throwIfAborted();
		return configOf(configured, { tables: [], boot: notLookedAt(asRouseError(error).message) });
	}
}

function notLookedAt(why: string): BootFacts {
	return { kernels: [], windows: null, deviceNames: [], notLookedAt: [printableText(`the disks: ${why}`, 200)] };
}

interface Found {
	tables: readonly (PartitionTable | undefined)[];
	boot: BootFacts | null;
}

function configOf({ machine, spec, described }: Configured, { tables, boot }: Found): MachineConfig {
	const { config, disks } = described;
	const told = { os: familyIn(boot), ...config, ...(config.nics && { nics: usable(config.nics) }) };
	const whole = specOf({ ...spec, drivers: spec.drivers ?? [] }, told);
	const looked = disks.map(({ serial, sectors }, index) => ({
		facts: { origin: originOf(described), serial, ...(sectors === null ? {} : { sectors }) } satisfies DiskFacts,
		table: tables[index],
	}));
	const seen = boot === null ? [] : driverFamiliesIn(boot);
	const decided = decideConfig(whole, machine, looked, { boot, drivers: seen, driversOfSource: config.drivers });
	return { ...decided, origin: originOf(described) };
}

function familyIn(boot: BootFacts | null): MachineSpec['os'] {
	return boot !== null && boot.windows !== null && boot.kernels.length === 0 ? 'windows' : defaultSpec.os;
}

type Nics = NonNullable<StatedSpec['nics']>;

/** A platform's own nonsense must not fail an import: an address that no NIC has, or that is there twice, is derived anew. */
function usable(nics: Nics): Nics {
	const taken = new Set<string>();
	return nics.map(({ mac, network }) => {
		if (mac === undefined || taken.has(mac) || isMulticast(mac)) return { network };
		taken.add(mac);
		return { mac, network };
	});
}

function originOf({ kind, name }: SourceMachine): MachineConfig['origin'] {
	return { kind, detail: name };
}
