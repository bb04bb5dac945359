import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { refusalText } from '../../model/issue-text.ts';
import type { PlatformData } from '../../model/hardware.ts';
import type { MachineDisk } from '../contract.ts';
import { slotSchema } from './driver/requests.ts';

const sectorBytes = z.union([z.literal(512), z.literal(4096)]);

export const overlaySchema = z.enum(['child', 'checkpoint']);
export type Overlay = z.infer<typeof overlaySchema>;

/** What a machine is made with. Its generation cannot be changed later. */
const hardwareSchema = z.strictObject({
	generation: z.union([z.literal(1), z.literal(2)]),
	secureBoot: z.enum(['MicrosoftWindows', 'MicrosoftUEFICertificateAuthority', 'Off']),
	/** A multiple of 2: https://learn.microsoft.com/powershell/module/hyper-v/set-vmmemory */
	memoryMiB: z.int(),
	/** Fixed VHDXs, which NTFS fills with zeros as they are written to, and not dynamic ones. */
	wholeTargets: z.boolean(),
	/**
	 * Where the guest writes: `child` is a differencing disk of ours, which is merged when the machine is off; `checkpoint` is one
	 * of Hyper-V's, which merges it while the machine runs.
	 */
	overlay: overlaySchema,
	/** One a disk. */
	disks: z.array(
		z.strictObject({ slot: slotSchema, logicalSectorBytes: sectorBytes, physicalSectorBytes: sectorBytes }),
	),
});
export type HypervHardware = z.infer<typeof hardwareSchema>;
export type DiskHardware = HypervHardware['disks'][number];

/** Throws `config_invalid` for what another platform has chosen. */
export function parseHardware(data: PlatformData): HypervHardware {
	const parsed = hardwareSchema.safeParse(data);
	if (parsed.success) return parsed.data;
	throw new RouseError('config_invalid', `hardware of a machine on Hyper-V: ${refusalText(parsed.error)}`);
}

export function diskHardware(
	{ hardware }: { hardware: HypervHardware },
	{ name }: Pick<MachineDisk, 'name'>,
): DiskHardware {
	const disk = hardware.disks[Number(name.slice('disk'.length))];
	if (disk !== undefined) return disk;
	throw new RouseError('config_invalid', `the hardware of the machine has nothing of ${name}`);
}
