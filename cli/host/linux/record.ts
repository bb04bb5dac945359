/** What the installation that added a Linux host knows of it: `hosts/NAME` in its home. */
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
	/** There: of the program, and the home. */
	directory: z.string(),
	home: z.string(),
});
/** What was asked for: another one of the same name is refused while this is there. */
export type WantedLinuxHost = z.infer<typeof wantedSchema>;

const recordSchema = z.strictObject({
	version: z.literal(0),
	kind: z.literal('linux'),
	wanted: wantedSchema,
	/** `ready`: its worker has come. */
	phase: z.enum(['adding', 'ready', 'removing']),
	/** Of the host, as `ssh-ed25519 AAAA…`. */
	hostKey: z.string(),
});
export type LinuxHostRecord = z.infer<typeof recordSchema>;

export function linuxHostFiles(directory: string) {
	const at = (name: string) => join(directory, name);
	return { record: at('linux.json'), knownHosts: at('known_hosts'), invitation: at('invitation') };
}

/** Undefined where no such host was added. Throws `config_invalid` for a record that is not wholly understood. */
export async function readLinuxHost(directory: string): Promise<LinuxHostRecord | undefined> {
	const path = linuxHostFiles(directory).record;
	const text = await readIfThere(path);
	if (text === undefined) return undefined;
	try {
		return recordSchema.parse(JSON.parse(text));
	} catch (cause) {
		throw new RouseError('config_invalid', `${path} is no record of a host`, { cause });
	}
}

export async function writeLinuxHost(directory: string, record: LinuxHostRecord): Promise<void> {
	await replaceFileDurably(linuxHostFiles(directory).record, `${JSON.stringify(record, undefined, '\t')}\n`);
}
