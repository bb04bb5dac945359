import * as z from 'zod';
import { nameSchema } from './names.ts';

export const macSchema = z
	.string()
	.regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i, 'a MAC address is six pairs of hex digits with ":" between')
	.transform(mac => mac.toLowerCase());

export const nicSchema = z.strictObject({
	/** Absent: one is derived from the machine's name when the point is made. */
	mac: macSchema.optional(),
	/** The network the original was connected to, by the name it had there. */
	network: z.string().min(1).max(80).default('default'),
});

/** The configuration of a machine, as `--spec` gives it and as a restore point keeps it. */
export const machineSpecSchema = z.strictObject({
	cpus: z.int().min(1).max(256).default(2),
	memoryMiB: z.int().min(16).max(4_194_304).default(4096),
	/** Absent: decided by the partition table of the first disk that has one. */
	firmware: z.enum(['bios', 'efi']).optional(),
	nics: z
		.array(nicSchema)
		.max(8)
		.default([{ network: 'default' }]),
	diskBus: z.enum(['virtio', 'sata']).optional(),
	os: z.enum(['linux', 'windows']).default('linux'),
	/** `virtio`: the guest has these drivers. A Linux guest is taken to have them. */
	drivers: z.enum(['virtio']).optional(),
});

export type MachineSpecInput = z.infer<typeof machineSpecSchema>;

/** A machine's configuration with every decision made; this is what a restore point stores. */
export const machineConfigSchema = z.strictObject({
	cpus: z.int().min(1).max(256),
	memoryMiB: z.int().min(16).max(4_194_304),
	firmware: z.enum(['bios', 'efi']),
	nics: z.array(z.strictObject({ mac: macSchema, network: z.string().min(1).max(80) })).max(8),
	diskBus: z.enum(['virtio', 'sata']),
	nicModel: z.enum(['virtio', 'e1000e']),
	os: z.enum(['linux', 'windows']),
});

export type MachineConfig = z.infer<typeof machineConfigSchema>;

export const machineNameSchema = nameSchema;
