/** What an appliance is told at its first boot: `seed.json` on a FAT disk or a CD with the label below. */
import { isIP } from 'node:net';
import * as z from 'zod';
import { nameSchema } from '../../model/names.ts';
import {
	hostNameSchema,
	keyTexts,
	pemSchema,
	portSchema,
	servedRepository,
	temporalAccessSchema,
} from '../../system/host-access.ts';
import { parseSecret } from '../../system/parse-secret.ts';

export const seedLabel = 'ROUSE-SEED';
export const seedFile = 'seed.json';

const address = z.string().refine(text => isIP(text) !== 0, 'is no address');
const addressWithPrefix = z.string().refine(text => {
	const [before = '', prefix = '', ...more] = text.split('/');
	const bits = isIP(before) === 4 ? 32 : isIP(before) === 6 ? 128 : -1;
	return more.length === 0 && /^\d{1,3}$/.test(prefix) && Number(prefix) <= bits;
}, 'is no address as 192.0.2.10/24');

const networkSchema = z.strictObject({
	/** Of the adapter: names of interfaces depend on the order of adapters. */
	mac: z.string().regex(/^[\da-f]{2}(:[\da-f]{2}){5}$/, 'is no MAC address as 00:15:5d:01:02:03'),
	address: z.union([z.literal('dhcp'), addressWithPrefix]),
	gateway: address.optional(),
	nameServers: z.array(address).max(3).default([]),
});

export const seedSchema = z.strictObject({
	version: z.literal(0),
	/** The appliance's name and its host's in Rouse. */
	name: nameSchema,
	/** `simulated` is for tests of the appliance itself. */
	kind: z.enum(['hyperv', 'simulated']),
	/** Random, of the host: by it recoveries find its workers. Absent: the appliance makes one that nobody else knows. */
	hostId: z.uuid().optional(),
	/** Random. Who renews a configuration knows it: disks of guests are attached here, and any of them could look like a seed. */
	renewal: z.string().regex(/^[\da-f]{64}$/, 'is not 32 bytes in hexadecimal'),
	networks: z.array(networkSchema).min(1).max(8),
	temporal: temporalAccessSchema,
	/** `rouse repo serve`, and what `rouse repo admit` made for this host. */
	repository: z.strictObject({ ...servedRepository, ...keyTexts }).optional(),
	/** The Windows host, by SSH; its keys in the form of known_hosts. */
	windows: z
		.strictObject({
			host: hostNameSchema,
			port: portSchema.default(22),
			user: z.string().regex(/^[^\s"]{1,104}$/, 'is no user'),
			key: pemSchema,
			hostKeys: z.array(z.string().regex(/^[^\n\r]+$/)).min(1),
			/** See `host.hyperv` of config.yaml, which has the last word. */
			datastore: z.string(),
			appliance: z.string(),
			address,
		})
		.optional(),
});
export type Seed = z.infer<typeof seedSchema>;

/** Throws `config_invalid` for a text that is not wholly understood. */
export function parseSeed(text: string): Seed {
	return parseSecret(text, `${seedFile} of the seed disk`, seedSchema);
}
