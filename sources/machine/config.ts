import type { ReadableDisk } from '../../inspection/bounded-disk.ts';
import { driverFamiliesIn } from '../../inspection/driver-families.ts';
import { inspectDisks } from '../../inspection/inspect.ts';
import type { BootFacts } from '../../model/boot-facts.ts';
import { asRouseError } from '../../model/errors.ts';
import { isMulticast, type MachineConfig, type StatedSpec } from '../../model/machine.ts';
import { printableText } from '../../model/printable-text.ts';
import { checkConfig } from '../../repository/import/import-request.ts';
import type { DiskFacts } from '../disk-facts.ts';
import { decideConfig, defaultSpec, type MachineSpec, specOf, unstated } from '../machine-spec.ts';
import { type PartitionTable, readPartitionTable } from '../partition-table.ts';
import type { DescribedDisk, SourceMachine } from './documents.ts';

/** As its platform describes it, or what hands it over: a file of its own, or nobody. */
export interface KnownMachine extends Pick<SourceMachine, 'kind' | 'name' | 'config'> {
	disks: readonly Pick<DescribedDisk, 'serial' | 'sectors'>[];
}

/** What is known before anybody looks into the disks: what a person says counts first. */
export interface Configured {
	/** Its name in the repository. */
	machine: string;
	spec: StatedSpec;
	described: KnownMachine;
}

export interface SeenMachine {
	config: MachineConfig;
	/** A warning, where not all could be seen that tells how it boots. */
	unseen: string | undefined;
}

/** Members that nobody knew, and that are assumed (model/machine.ts: 2 vCPU, 4 GiB, one NIC). */
export function unknownOf({ spec, described: { config } }: Configured): string[] {
	return unstated(spec, config);
}

/**
 * The configuration as far as it can be told before a byte is read. Throws `spec_invalid`, `usage`: what would be refused in the
 * end is refused before hours of reading.
 */
export function checkConfigured(configured: Configured): void {
	checkConfig(configOf(configured, { tables: [], boot: null }), configured.described.disks.length);
}

/**
 * What a machine was, looking into its disks: as they were stored, or where they lie. A look that fails is told in the result, and
 * fails no import; only the signal's reason is thrown.
 */
export async function machineConfig(
	configured: Configured,
	disks: readonly ReadableDisk[],
	signal: AbortSignal,
): Promise<SeenMachine> {
	try {
		const tables = await Promise.all(disks.map(disk => readPartitionTable(disk, signal)));
		const looked = disks.map((disk, index) => ({ disk, partitions: tables[index]?.partitions }));
		const { boot, failures } = await inspectDisks(looked, signal);
		return { config: configOf(configured, { tables, boot }), unseen: unseenText(failures) };
	} catch (error) {
		signal.throwIfAborted();
		const line = printableText(`the disks: ${asRouseError(error).message}`, 200);
		const boot = { kernels: [], windows: null, deviceNames: [], notLookedAt: [line] };
		return { config: configOf(configured, { tables: [], boot }), unseen: unseenText([line]) };
	}
}

function unseenText([first, ...more]: readonly string[]): string | undefined {
	if (first === undefined) return undefined;
	const others = more.length === 0 ? '' : `, and ${more.length} more: see rouse backup show`;
	return `how the machine boots could not be seen in full: ${first}${others}`;
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

function originOf({ kind, name }: KnownMachine): MachineConfig['origin'] {
	return { kind, detail: name };
}
