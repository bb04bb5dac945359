import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { refusalText } from '../../model/issue-text.ts';
import { forwardSchema } from '../../model/recovery.ts';
import type { MachineDefinition } from '../contract.ts';

export const acceleratorSchema = z.enum(['auto', 'kvm', 'tcg']);
export const diskBusSchema = z.enum(['virtio', 'sata']);
export const nicModelSchema = z.enum(['virtio', 'e1000e']);

/** virtio-blk (VIRTIO_BLK_ID_BYTES) and ATA (IDENTIFY DEVICE, words 10 to 19) have as much room for a disk's serial. */
export const maxSerialLength = 20;

/** What a machine is on QEMU: chosen by choose-hardware.ts, and read again at every start. */
const hardwareSchema = z.strictObject({
	diskBus: diskBusSchema,
	/** One for each disk, in the same order. */
	disks: z.array(
		z.strictObject({
			/** Its place on the bus: the firmware tries them, and the guest finds them, in this order. */
			slot: z.int().min(0).max(63),
			serial: z
				.string()
				.regex(/^[\x20-\x7e]*$/)
				.max(maxSerialLength)
				.nullable(),
			logicalSectorBytes: z.union([z.literal(512), z.literal(4096)]),
			physicalSectorBytes: z.union([z.literal(512), z.literal(4096)]),
		}),
	),
	nicModel: nicModelSchema,
	/** Of the first NIC on the network `user`. */
	forwards: z.array(forwardSchema).default([]),
	/** A channel to the guest's agent. */
	agent: z.boolean().default(false),
	/** A pointer with absolute positions, as VNC gives them, beside the PS/2 mouse that takes relative ones. */
	tablet: z.boolean(),
	clock: z.strictObject({
		base: z.enum(['utc', 'localtime']),
		/** Ticks that were missed are given to the guest later: for one that counts them. */
		slew: z.boolean(),
	}),
	/** The machine's own; without one the host's counts. */
	accelerator: acceleratorSchema.nullable(),
});
export type QemuHardware = z.infer<typeof hardwareSchema>;
export type DiskHardware = QemuHardware['disks'][number];

/** The machine's hardware as it was chosen. `config_invalid` when QEMU did not choose it. */
export function hardwareOf({ machineName, hardware, disks }: MachineDefinition): QemuHardware {
	const parsed = hardwareSchema.safeParse(hardware);
	if (parsed.success && parsed.data.disks.length === disks.length) return parsed.data;
	const why = parsed.success
		? `it is for ${parsed.data.disks.length} disk(s), there are ${disks.length}`
		: refusalText(parsed.error);
	throw new RouseError('config_invalid', `the hardware of ${machineName} was not chosen by QEMU: ${why}`);
}
