import * as z from 'zod';
import type { GceAddress } from './address.ts';
import { gceUri } from './address.ts';
import type { Asked, GoogleApi } from './google/api.ts';
import { inOurCodes } from './refusals.ts';

/** Compute Engine API v1, "instances": what is looked at of it. */
const instanceSchema = z.object({
	id: z.string(),
	name: z.string(),
	machineType: z.string(),
	labels: z.record(z.string(), z.string()).default({}),
	disks: z
		.array(
			z.object({
				type: z.string().default('PERSISTENT'),
				boot: z.boolean().default(false),
				index: z.number().default(0),
				deviceName: z.string().default(''),
				/** Of GiB, whatever it is called. */
				diskSizeGb: z
					.string()
					.regex(/^\d{1,9}$/)
					.transform(Number)
					.optional(),
				interface: z.string().default(''),
				architecture: z.string().optional(),
				guestOsFeatures: z.array(z.object({ type: z.string() })).default([]),
			}),
		)
		.default([]),
	networkInterfaces: z
		.array(z.object({ network: z.string().optional(), subnetwork: z.string().optional() }))
		.default([]),
	shieldedInstanceConfig: z
		.object({ enableSecureBoot: z.boolean().default(false), enableVtpm: z.boolean().default(false) })
		.optional(),
});
export type GceInstance = z.infer<typeof instanceSchema>;

/** "machineTypes". */
const machineTypeSchema = z.object({
	guestCpus: z.int().min(1),
	memoryMb: z.int().min(1),
	architecture: z.string().optional(),
});
export type GceMachineType = z.infer<typeof machineTypeSchema>;

export interface GceDescribed {
	address: GceAddress;
	/** Its disks as the firmware tries them: what it boots from first. */
	instance: GceInstance;
	type: GceMachineType;
}

/** `machine_unknown` when there is no such instance. */
export async function findInstance(api: GoogleApi, address: GceAddress, signal: AbortSignal): Promise<GceDescribed> {
	const uri = gceUri(address);
	const missing = {
		code: 'machine_unknown' as const,
		message: `there is no instance ${uri}`,
		hint: 'one that is gone tells nothing any more: leave it out, and say its configuration by a specification',
	};
	return inOurCodes(missing, async () => {
		const found = await api.json(instanceCall(api, address), instanceSchema, signal);
		const disks = found.disks.toSorted((a, b) => Number(b.boot) - Number(a.boot) || a.index - b.index);
		const type = await findType(api, address, { name: lastPart(found.machineType), signal });
		return { address, instance: { ...found, disks }, type };
	});
}

async function findType(
	api: GoogleApi,
	address: GceAddress,
	{ name, signal }: { name: string; signal: AbortSignal },
): Promise<GceMachineType> {
	const missing = {
		code: 'source_invalid' as const,
		message: `${gceUri(address)} is of a type that Google does not tell of`,
		hint: 'say its processors and memory by a specification, and leave the instance out',
	};
	return inOurCodes(missing, () => api.json(typeCall(api, address, name), machineTypeSchema, signal));
}

function instanceCall(api: GoogleApi, address: GceAddress): Asked {
	return { call: 'compute.instances.get', url: zoneUrl(api, address, `instances/${address.instance}`) };
}

/** Also of one that is made to measure (`custom-4-8192`), and is in no list. */
function typeCall(api: GoogleApi, address: GceAddress, type: string): Asked {
	return { call: 'compute.machineTypes.get', url: zoneUrl(api, address, `machineTypes/${encodeURIComponent(type)}`) };
}

function zoneUrl({ endpoints }: GoogleApi, { project, zone }: GceAddress, what: string): URL {
	return new URL(`projects/${project}/zones/${zone}/${what}`, endpoints.compute);
}

/** Resources name each other by URLs. */
export function lastPart(url: string): string {
	return url.split('/').at(-1) ?? '';
}
