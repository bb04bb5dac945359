import { mkdir, readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join, resolve } from 'node:path';
import * as z from 'zod';
import { RouseError } from '../model/errors.ts';
import { isErrno, replaceFileDurably } from './durable-file.ts';
import { type Config, type Installation, places } from './installation.ts';

/** PEM files. `serverName` is compared with the server's certificate in the place of the address's host. */
const tlsFilesSchema = z.strictObject({
	authority: z.string().optional(),
	certificate: z.string().optional(),
	key: z.string().optional(),
	serverName: z.string().optional(),
});
export type TlsFiles = z.infer<typeof tlsFilesSchema>;

/** Where Temporal is, and what opens its door. The embedded one's is written by its keeper. */
const temporalTargetSchema = z.strictObject({
	address: z.string().min(1),
	namespace: z.string().min(1),
	/** Absent: without TLS. */
	tls: tlsFilesSchema.optional(),
	apiKeyFile: z.string().optional(),
	/** Seals what is sent there. */
	payloadKeyFile: z.string().optional(),
});
export type TemporalTarget = z.infer<typeof temporalTargetSchema>;

const targetPath = (home: string) => join(places.temporal(home), 'address.json');

/**
 * The configured server, else the embedded one. Throws `temporal_unreachable` when none was ever started here, and
 * `config_invalid` for a server elsewhere that would be talked to in clear text without being told so.
 */
export async function readTemporalTarget(
	{ home }: Pick<Installation, 'home'>,
	config: Pick<Config, 'temporal'>,
): Promise<TemporalTarget> {
	const external = externalTarget(home, config);
	if (external) return external;
	const published = await readPublishedTarget(home);
	if (published) return { ...published, ...payloadKeyOf(home, config) };
	throw new RouseError('temporal_unreachable', `no Temporal server was started for ${home}`);
}

/** Of the embedded server: should another installation's ever get this one's port, nobody takes its recoveries for ours. */
export function namespaceOf({ id }: Pick<Installation, 'id'>): string {
	return `rouse-${id.slice(0, 8)}`;
}

/** What the keeper published last; undefined when nothing was. */
export async function readPublishedTarget(home: string): Promise<TemporalTarget | undefined> {
	try {
		return temporalTargetSchema.parse(JSON.parse(await readFile(targetPath(home), 'utf8')));
	} catch (error) {
		if (isErrno(error, 'ENOENT')) return undefined;
		throw error;
	}
}

export async function publishTemporalTarget(home: string, target: TemporalTarget): Promise<void> {
	await mkdir(places.temporal(home), { recursive: true, mode: 0o700 });
	await replaceFileDurably(targetPath(home), `${JSON.stringify(target)}\n`, 0o600);
}

/** The server that the configuration names; undefined when it names none: the embedded one. Paths are below the home. */
function externalTarget(home: string, { temporal }: Pick<Config, 'temporal'>): TemporalTarget | undefined {
	const { address, namespace = 'default', tls, apiKeyFile, insecure } = temporal;
	if (address === undefined) return undefined;
	if (!tls && !insecure && !isLocal(address))
		throw new RouseError('config_invalid', `temporal.address ${address} is elsewhere, and temporal.tls is not said`, {
			hint: 'say temporal.tls: true (or its files) in config.yaml; temporal.insecure: true if all may read and alter it',
		});
	return {
		address,
		namespace,
		...(tls === undefined ? {} : { tls: tls === true ? {} : below(home, tls) }),
		...(apiKeyFile === undefined ? {} : { apiKeyFile: resolve(home, apiKeyFile) }),
		...payloadKeyOf(home, { temporal }),
	};
}

function payloadKeyOf(home: string, { temporal }: Pick<Config, 'temporal'>): Pick<TemporalTarget, 'payloadKeyFile'> {
	const { payloadKeyFile } = temporal;
	return payloadKeyFile === undefined ? {} : { payloadKeyFile: resolve(home, payloadKeyFile) };
}

function below(home: string, { authority, certificate, key, serverName }: TlsFiles): TlsFiles {
	return {
		...(authority === undefined ? {} : { authority: resolve(home, authority) }),
		...(certificate === undefined ? {} : { certificate: resolve(home, certificate) }),
		...(key === undefined ? {} : { key: resolve(home, key) }),
		...(serverName === undefined ? {} : { serverName }),
	};
}

/** Whether nothing of it crosses a wire. A name other than `localhost` may be anybody's. */
export function isLocal(address: string): boolean {
	const host = address.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
	if (host === 'localhost' || host === '::1') return true;
	return isIP(host) === 4 && host.startsWith('127.');
}
