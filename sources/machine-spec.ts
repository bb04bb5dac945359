import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type * as z from 'zod';
import { type AssumedMember, assumedMembers } from '../model/assumed.ts';
import { RouseError } from '../model/errors.ts';
import {
	type Firmware,
	isMulticast,
	type MachineConfig,
	machineSpecSchema,
	type SourceDisk,
	type StatedSpec,
	statedSpecSchema,
} from '../model/machine.ts';
import { shortened } from '../model/printable-text.ts';
import { isErrno } from '../system/durable-file.ts';
import { type DiskFacts, sectorSizes } from './disk-facts.ts';
import { firmwareOf, type PartitionTable } from './partition-table.ts';

export type MachineSpec = z.output<typeof machineSpecSchema>;

/** As a restore point keeps them: model/machine.ts. */
const mostDrivers = 16;

/** What holds without `--spec`. */
export const defaultSpec: MachineSpec = machineSpecSchema.parse({});

/** What a person states, before what the source tells, before what holds where nothing is known. */
export function specOf(stated: StatedSpec, told: StatedSpec = {}): MachineSpec {
	const { secureBoot, ...rest } = told;
	// It was told of the other firmware.
	const ofFirmware = secureBoot === undefined || stated.firmware === 'bios' ? {} : { secureBoot };
	return machineSpecSchema.parse({ ...rest, ...ofFirmware, ...stated });
}

/** What neither states, so that {@link specOf} assumes it. */
export function unstated(stated: StatedSpec, told: StatedSpec = {}): AssumedMember[] {
	return assumedMembers.filter(member => (stated[member] ?? told[member]) === undefined);
}

/** Reads a `--spec` file. Throws `spec_invalid`, with line and column of what is not accepted. */
export async function readMachineSpec(path: string): Promise<MachineSpec> {
	return specOf(await readStatedSpec(path));
}

/** The same, without what holds where nothing is stated. */
export async function readStatedSpec(path: string): Promise<StatedSpec> {
	let text: string;
	try {
		text = await readFile(path, 'utf8');
	} catch (error) {
		throw new RouseError('spec_invalid', unreadable(path, error), { cause: error });
	}
	const { parseYaml } = await import('../system/parse-yaml.ts'); // most imports have no such file
	return parseYaml(text, path, statedSpecSchema, 'spec_invalid');
}

function unreadable(path: string, error: unknown): string {
	if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return `there is no ${path}`;
	if (isErrno(error, 'EISDIR')) return `${path} is a directory`;
	if (isErrno(error, 'EACCES')) return `${path} may not be read by user ${process.geteuid?.()}`;
	return `${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`;
}

/** A disk that is to be imported: what its source knows of it, and what was found on it. */
export interface LookedAtDisk {
	facts: DiskFacts;
	table: PartitionTable | undefined;
}

/** What a look into the disks has brought. */
export interface LookedInto {
	boot: MachineConfig['boot'];
	/** Families of drivers by which the system finds its disks. */
	drivers: readonly string[];
	/** Those that the source says the machine has needed where it ran. */
	driversOfSource?: readonly string[] | undefined;
}

/** What a machine was: the spec, and of its disks, in their order, what the spec leaves open. */
export function decideConfig(
	spec: MachineSpec,
	machine: string,
	disks: readonly LookedAtDisk[],
	{ boot, drivers, driversOfSource = [] }: LookedInto = { boot: null, drivers: [] },
): MachineConfig {
	return {
		cpus: spec.cpus,
		memoryMiB: spec.memoryMiB,
		firmware: spec.firmware ?? firmwareOfDisks(disks),
		secureBoot: spec.secureBoot ?? null,
		vtpm: spec.vtpm ?? null,
		efiVariables: null,
		nics: decideNics(spec, machine),
		disks: disks.map(decideDisk),
		clock: spec.clock ?? (spec.os === 'windows' ? 'localtime' : 'utc'),
		os: spec.os,
		drivers: decideDrivers(spec, driversOfSource, drivers),
		boot,
		origin: originOf(disks),
	};
}

/** Each once, by who is believed first. */
function decideDrivers(
	spec: MachineSpec,
	ofSource: readonly string[],
	seen: readonly string[],
): MachineConfig['drivers'] {
	const all: MachineConfig['drivers'] = [
		...spec.drivers.map(name => ({ name, learntFrom: 'spec' as const })),
		...ofSource.map(name => ({ name, learntFrom: 'source' as const })),
		...seen.map(name => ({ name, learntFrom: 'disks' as const })),
	];
	return all.filter(({ name }, index) => all.findIndex(other => other.name === name) === index).slice(0, mostDrivers);
}

/** The first disk with a table is the one that a machine boots from. */
function firmwareOfDisks(disks: readonly LookedAtDisk[]): Firmware {
	const table = disks.find(disk => disk.table !== undefined)?.table;
	return table ? firmwareOf(table) : 'bios';
}

function decideDisk({ facts, table }: LookedAtDisk, position: number): SourceDisk {
	const known = facts.sectors ?? sectorSizes(512, 512);
	// A copy may lie on a device with other sectors; its guest finds its partitions only with those it was made with.
	const logicalBytes = table?.sectorBytes ?? known.logicalSectorBytes;
	return { position, serial: facts.serial, ...sectorSizes(logicalBytes, known.physicalSectorBytes) };
}

/** One line for all disks; names of files and exports may have anything in them. */
export function originOf(disks: readonly Pick<LookedAtDisk, 'facts'>[]): MachineConfig['origin'] {
	const all = disks.map(({ facts }) => facts.origin.detail).join(', ');
	const kind = disks[0]?.facts.origin.kind ?? 'image';
	return { kind, detail: shortened(all.replaceAll(/\p{C}/gu, '?'), 200) };
}

function decideNics({ nics }: MachineSpec, machine: string): MachineConfig['nics'] {
	const taken = new Set<string>();
	for (const [index, { mac }] of nics.entries()) {
		if (mac === undefined) continue;
		if (isMulticast(mac))
			throw new RouseError('spec_invalid', `nics.${index}.mac: ${mac} is a multicast address, which no NIC has`);
		if (taken.has(mac)) throw new RouseError('spec_invalid', `nics.${index}.mac: ${mac} is there twice`);
		taken.add(mac);
	}
	return nics.map(({ mac, network }, index) => {
		const decided = mac ?? freeMac(machine, index, taken);
		taken.add(decided);
		return { mac: decided, network };
	});
}

/**
 * The same at every import of the machine: a guest that knows its NIC by the address must not see a new one after each
 * backup. 52:54:00 is the locally administered prefix that QEMU uses.
 */
function freeMac(machine: string, index: number, taken: ReadonlySet<string>): string {
	for (let attempt = 0; ; attempt++) {
		const digest = createHash('sha256').update(`rouse nic ${machine} ${index} ${attempt}`).digest();
		const mac = `52:54:00:${[...digest.subarray(0, 3)].map(byte => byte.toString(16).padStart(2, '0')).join(':')}`;
		if (!taken.has(mac)) return mac;
	}
}
