/** What the installation that added a host knows of it: `hosts/NAME` in its home. */
import { join } from 'node:path';
import * as z from 'zod';
import { RouseError } from '../../../model/errors.ts';
import { nameSchema } from '../../../model/names.ts';
import { replaceFileDurably } from '../../../system/durable-file.ts';
import { readIfThere } from '../../../system/if-there.ts';

const wantedSchema = z.strictObject({
	name: nameSchema,
	user: z.string(),
	host: z.string(),
	port: z.int(),
	datastore: z.string(),
	/** Of the switch towards repository and Temporal. */
	externalSwitch: z.string(),
	/** On it: `dhcp`, or as 192.0.2.20/24. */
	address: z.string(),
	gateway: z.string().optional(),
	nameServers: z.array(z.string()),
});
/** What was asked for: another set-up of the same name is refused while this one is there. */
export type WantedHost = z.infer<typeof wantedSchema>;

const networkSchema = z.strictObject({
	hostAddress: z.string(),
	applianceAddress: z.string(),
	prefixLength: z.int(),
});
export type InternalNetwork = z.infer<typeof networkSchema>;

const recordSchema = z.strictObject({
	version: z.literal(0),
	wanted: wantedSchema,
	/** `ready`: the appliance is at work. */
	phase: z.enum(['adding', 'ready', 'removing']),
	/** Stands in the notes of what is made on Windows. */
	setupId: z.uuid(),
	/** Of the host in Rouse: the appliance has it from its seed. */
	hostId: z.uuid(),
	/** Of the seed, which says with it that it is ours. */
	renewal: z.string(),
	/** Of the host, as `ssh-ed25519 AAAA…`. */
	hostKey: z.string(),
	network: networkSchema,
	macs: z.strictObject({ internal: z.string(), external: z.string() }),
	/** How Windows was, and is again after a removal. */
	before: z.strictObject({
		datastoreThere: z.boolean(),
		initiator: z.strictObject({ startType: z.enum(['Automatic', 'Manual', 'Disabled']), running: z.boolean() }),
	}),
	/** Under which names files were sent, so that no half of one stays. */
	parts: z.array(z.string()),
	/** It was let in to what is served: when it is not any more, somebody has taken that away. */
	admitted: z.boolean(),
	/** SHA-256 of what the seed says; null before there is one. */
	seedDigest: z.string().nullable(),
	/** Of its machine on the host; null before it is made. */
	applianceId: z.string().nullable(),
});
export type HostRecord = z.infer<typeof recordSchema>;

/** Files of one host in the home. */
export function hostFiles(directory: string) {
	const at = (name: string) => join(directory, name);
	return {
		record: at('host.json'),
		knownHosts: at('known_hosts'),
		/** The appliance's key, with which it is administrator of the host; `.pub` beside it. */
		key: at('appliance-key'),
		/** Certificates for what this installation serves. */
		access: at('access'),
		seed: at('seed.vhdx'),
	};
}

/** Undefined where no such host was added. Throws `config_invalid` for a record that is not wholly understood. */
export async function readHostRecord(directory: string): Promise<HostRecord | undefined> {
	const path = hostFiles(directory).record;
	const text = await readIfThere(path);
	if (text === undefined) return undefined;
	try {
		return recordSchema.parse(JSON.parse(text));
	} catch (cause) {
		throw new RouseError('config_invalid', `${path} is no record of a host`, { cause });
	}
}

export async function writeHostRecord(directory: string, record: HostRecord): Promise<void> {
	await replaceFileDurably(hostFiles(directory).record, `${JSON.stringify(record, undefined, '\t')}\n`);
}
