/** What a machine was when it was backed up. Facts only: which devices it gets is decided when a recovery is planned. */
import * as z from 'zod';
import { bootFactsSchema } from './boot-facts.ts';
import { nameSchema } from './names.ts';

export const macSchema = z
	.string()
	.regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i, 'a MAC address is six pairs of hex digits with ":" between')
	.transform(mac => mac.toLowerCase());

/** Which no NIC has as its own: IEEE 802, the first bit on the wire. */
export function isMulticast(mac: string): boolean {
	return (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1;
}

const nicSchema = z.strictObject({
	/** Absent: one is derived from the machine's name when the point is made. */
	mac: macSchema.optional(),
	/** The network the original was connected to, by the name it had there. */
	network: z.string().min(1).max(80).default('default'),
});

export const firmwareSchema = z.enum(['bios', 'efi']);
export type Firmware = z.infer<typeof firmwareSchema>;

/** By its family: what a platform chooses devices by when it knows no drivers. */
const osFamilySchema = z.enum(['linux', 'windows', 'other']);
export type OsFamily = z.infer<typeof osFamilySchema>;

const clockSchema = z.enum(['utc', 'localtime']);

/** A family of drivers that is in the guest: `virtio`, `hyperv`, `xen`, `nvme`, `vmware`, … An open list. */
const driverNameSchema = z.string().regex(/^[a-z0-9-]{1,20}$/, 'a driver family, as virtio, hyperv, xen or nvme');

/** Where a fact was learnt: from the specification a person gave, the source's own description, or a look at the disks. */
const learntFromSchema = z.enum(['spec', 'source', 'disks']);

/** Sizes of a sector as the disk tells the guest; 512/4096 is the usual emulation, 4096/4096 is native 4K. */
export const sectorSizeSchema = z.union([z.literal(512), z.literal(4096)]);

const sourceDiskSchema = z.strictObject({
	/** Where it was connected: 0 is the disk that the firmware tries first. */
	position: z.int().min(0).max(63),
	serial: z.string().max(40).nullable(),
	logicalSectorBytes: sectorSizeSchema,
	physicalSectorBytes: sectorSizeSchema,
});
export type SourceDisk = z.infer<typeof sourceDiskSchema>;

/** A variable of the machine's EFI: UEFI specification 2.10, section 8.2. */
const efiVariableSchema = z.strictObject({
	vendor: z.uuid(),
	name: z.string().min(1).max(128),
	attributes: z.int().min(0).max(0xffff_ffff),
	data: z.base64().max(64 * 1024),
});

export const maxCpus = 256;
export const memoryLimitsMiB = { least: 16, most: 4_194_304 };
export const maxNics = 8;

/** Each part of a configuration that somebody may state. */
const stated = {
	cpus: z.int().min(1).max(maxCpus),
	memoryMiB: z.int().min(memoryLimitsMiB.least).max(memoryLimitsMiB.most),
	/** Absent: decided by the partition table of the first disk that has one. */
	firmware: firmwareSchema,
	secureBoot: z.boolean(),
	vtpm: z.boolean(),
	nics: z.array(nicSchema).max(maxNics),
	os: osFamilySchema,
	/** Absent: local time for Windows, UTC for all others. */
	clock: clockSchema,
	/** Families of drivers that are known to be in the guest: one, or a list. */
	drivers: z
		.union([driverNameSchema, z.array(driverNameSchema).max(16)])
		.transform(names => (typeof names === 'string' ? [names] : names)),
};

/** What a person or a source states of a configuration, and no more. */
export const statedSpecSchema = z.strictObject(stated).partial();
export type StatedSpec = z.output<typeof statedSpecSchema>;

/** The configuration of a machine as `--spec` gives it, with what holds where nothing is stated. */
export const machineSpecSchema = statedSpecSchema.extend({
	cpus: stated.cpus.default(2),
	memoryMiB: stated.memoryMiB.default(4096),
	nics: stated.nics.default([{ network: 'default' }]),
	os: stated.os.default('linux'),
	drivers: stated.drivers.default([]),
});

/** The configuration of a machine as a restore point keeps it. `null` is "not known". */
export const machineConfigSchema = z.strictObject({
	cpus: z.int().min(1).max(256),
	memoryMiB: z.int().min(16).max(4_194_304),
	firmware: firmwareSchema,
	secureBoot: z.boolean().nullable(),
	vtpm: z.boolean().nullable(),
	efiVariables: z.array(efiVariableSchema).max(64).nullable(),
	nics: z.array(z.strictObject({ mac: macSchema, network: z.string().min(1).max(80) })).max(8),
	/** One for each disk of the restore point, in the same order. */
	disks: z.array(sourceDiskSchema).min(1).max(64),
	/** What the hardware clock counts. */
	clock: clockSchema,
	os: osFamilySchema,
	drivers: z.array(z.strictObject({ name: driverNameSchema, learntFrom: learntFromSchema })).max(16),
	/** What its disks tell of how it boots; null when nobody looked. */
	boot: bootFactsSchema.nullable(),
	/**
	 * What the disks were read from: a kind of source and what it calls itself, for people. What else stands there is ignored: a
	 * later version may know more about it.
	 */
	origin: z.object({ kind: z.string().regex(/^[a-z0-9-]{1,20}$/), detail: z.string().max(200) }),
});
export type MachineConfig = z.infer<typeof machineConfigSchema>;

export const machineNameSchema = nameSchema;
