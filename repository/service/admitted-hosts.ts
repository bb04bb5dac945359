/**
 * Which hosts elsewhere are let in, and where to: a record beside the keys (service-keys.ts). A certificate of the authority
 * alone opens nothing, so that a host can be withdrawn without new keys for all others.
 */
import { X509Certificate } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { nameSchema } from '../../model/names.ts';
import { isErrno, replaceFileDurably } from '../../system/durable-file.ts';
import { whileLocked } from '../../system/held-lock.ts';
import { places } from '../../system/installation.ts';

/** What a host elsewhere may be let in to: `repo serve`, and the embedded Temporal server's door for hosts. */
export const accessKinds = ['repositories', 'temporal'] as const;
export type AccessKind = (typeof accessKinds)[number];

const admittedHostSchema = z.strictObject({
	host: nameSchema,
	/** SHA-256 of its certificate, as Node and openssl write it. */
	fingerprint: z.string().regex(/^[\dA-F]{2}(:[\dA-F]{2}){31}$/),
	to: z.array(z.enum(accessKinds)).min(1),
	/** Whose steps it may take. Absent: of the id that config.yaml has for its name. */
	hostId: z.uuid().optional(),
	at: z.iso.datetime(),
});
export type AdmittedHost = z.infer<typeof admittedHostSchema>;

const recordSchema = z.strictObject({ hosts: z.array(admittedHostSchema) });

const recordPath = (home: string) => join(places.repositoryKeys(home), 'admitted.json');

/** In the order in which they came. `config_invalid` for a record that is not wholly understood. */
export async function readAdmitted(home: string): Promise<AdmittedHost[]> {
	const path = recordPath(home);
	try {
		return recordSchema.parse(JSON.parse(await readFile(path, 'utf8'))).hosts;
	} catch (cause) {
		if (isErrno(cause, 'ENOENT')) return [];
		throw new RouseError('config_invalid', `${path}, which says what hosts are let in, cannot be read`, { cause });
	}
}

/** Throws `name_conflict` for a host that is admitted already: one that runs would lose what it works with. */
export async function mustBeNew(home: string, host: string): Promise<void> {
	if (!(await readAdmitted(home)).some(one => one.host === host)) return;
	throw new RouseError('name_conflict', `${host} is admitted already`, {
		hint: `rouse host withdraw ${host} takes its access away; then it can be admitted anew`,
	});
}

/** From then on the holder of this certificate is let in. `name_conflict` as {@link mustBeNew}. */
export async function recordAdmitted(
	home: string,
	admitted: { host: string; certificate: string | Buffer; to: readonly AccessKind[]; hostId?: string | undefined },
): Promise<void> {
	const { host, certificate, to, hostId } = admitted;
	const fingerprint = new X509Certificate(certificate).fingerprint256;
	await changeRecord(home, async hosts => {
		await mustBeNew(home, host);
		return [...hosts, { host, fingerprint, to: [...to], hostId, at: new Date().toISOString() }];
	});
}

/**
 * Takes a host's access away, to all that it was admitted to: when this returns no connection of it is let in any more, and
 * those that are open end within seconds (host-gate.ts). False when it was not admitted, or with another certificate than
 * this fingerprint is of, where one is said.
 */
export async function withdrawHost(home: string, host: string, fingerprint?: string): Promise<boolean> {
	let was = false;
	await changeRecord(home, async hosts => {
		const left = hosts.filter(
			one => one.host !== host || (fingerprint !== undefined && one.fingerprint !== fingerprint),
		);
		was = left.length < hosts.length;
		return was ? left : hosts;
	});
	return was;
}

async function changeRecord(home: string, change: (hosts: AdmittedHost[]) => Promise<AdmittedHost[]>): Promise<void> {
	const directory = places.repositoryKeys(home);
	await mkdir(directory, { recursive: true, mode: 0o700 });
	await whileLocked(join(directory, 'lock'), async () => {
		const hosts = await readAdmitted(home);
		const changed = await change(hosts);
		if (changed === hosts) return;
		await replaceFileDurably(recordPath(home), `${JSON.stringify({ hosts: changed }, undefined, '\t')}\n`, 0o600);
	});
}
