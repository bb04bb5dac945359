import { isIP } from 'node:net';
import * as z from 'zod';
import { isGuid } from '../model/guid.ts';

/** How the Windows host is reached whose machines this host runs, from the appliance on it: `host.hyperv` of config.yaml. */
export const hypervHostSchema = z.strictObject({
	/** A member of its Administrators, and its name or address. */
	ssh: z.string().regex(/^\S+@[^@\s]+$/, 'must be USER@HOST'),
	port: z.int().min(1).max(65_535).default(22),
	/** Of the private key; paths are below the home. */
	identityFile: z.string().min(1),
	/** The host's keys as they were when it was added. */
	knownHostsFile: z.string().min(1),
	/** A directory of Windows, for targets and overlays. */
	datastore: z.string().regex(/^[A-Za-z]:\\[^"*?<>|:[\]`$]{1,120}$/, 'must be an absolute path of Windows'),
	/** The appliance's own id, as the host has it. */
	appliance: z.string().toLowerCase().refine(isGuid, 'must be the GUID of a virtual machine'),
	/** Forbids overlays by checkpoint, which a self test may have found this host to be good for. */
	overlay: z.literal('child').optional(),
	/** Of the appliance, on which the host reads the disks. */
	address: z.string().refine(text => isIP(text) !== 0, 'must be an address'),
	/** Where the appliance's kernel shows its disks: elsewhere than in /sys and /dev beside a simulated host alone. */
	kernel: z.strictObject({ sys: z.string().min(1), dev: z.string().min(1) }).optional(),
});
export type HypervHost = z.infer<typeof hypervHostSchema>;
