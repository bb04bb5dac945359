/** What serves this installation's repositories, and its Temporal server, to hosts elsewhere, and admits these. */
import { randomBytes, randomUUID, X509Certificate } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import { keepOnly, makeAuthority, signCertificate } from '../../system/certificates.ts';
import { isErrno, syncDirectory } from '../../system/durable-file.ts';
import { whileLocked } from '../../system/held-lock.ts';
import type { KeyTexts } from '../../system/host-access.ts';
import { places } from '../../system/installation.ts';
import { mustBeSecret } from '../../system/secret-file.ts';
import { type AccessKind, mustBeNew, recordAdmitted } from './admitted-hosts.ts';

/** PEM files, but for the key of the tokens. */
export interface ServiceKeys {
	authority: string;
	server: { key: string; certificate: string };
	/** 32 bytes: whoever has them makes tokens (point-token.ts). */
	tokenKey: string;
}

/** What a host elsewhere shows, and what it knows the service by. */
export interface HostKeys {
	authority: string;
	key: string;
	certificate: string;
}

export function hostKeysIn(directory: string): HostKeys {
	const file = (name: string) => join(directory, name);
	return { authority: file('authority.crt'), key: file('host.key'), certificate: file('host.crt') };
}

/** The name in the service's certificate: a caller expects it, whatever address it calls. */
export async function serviceName({ server }: Pick<ServiceKeys, 'server'>): Promise<string> {
	const { subjectAltName } = new X509Certificate(await readFile(server.certificate));
	const name = /^DNS:(\S+)$/.exec(subjectAltName ?? '')?.[1];
	if (name === undefined) throw new RouseError('config_invalid', `${server.certificate} names no server`);
	return name;
}

/** The keys of an installation, which are made when they are asked for first. Needs openssl then (`tool_missing`). */
export async function serviceKeys(home: string): Promise<ServiceKeys> {
	const parent = places.repositoryKeys(home);
	const directory = join(parent, 'keys');
	await mkdir(parent, { recursive: true, mode: 0o700 });
	const there = async () => (await readdir(parent)).includes('keys');
	if (!(await there()))
		await whileLocked(join(parent, 'lock'), async () => {
			if (!(await there())) await makeKeys(directory);
		});
	const file = (name: string) => join(directory, name);
	return {
		authority: file('authority.crt'),
		server: { key: file('server.key'), certificate: file('server.crt') },
		tokenKey: file('token.key'),
	};
}

/** Throws `config_invalid` for one that others may read, or that is not whole. */
export async function readTokenKey({ tokenKey }: ServiceKeys): Promise<Buffer> {
	await mustBeSecret(tokenKey);
	const key = await readFile(tokenKey);
	if (key.length !== tokenKeyBytes) throw new RouseError('config_invalid', `${tokenKey} is no key of a token`);
	return key;
}

/**
 * A certificate for a host elsewhere and its key, with the certificate of the authority, in a directory that is not there
 * yet. It opens what `to` says until the host is withdrawn (admitted-hosts.ts). `usage` when the directory is there,
 * `name_conflict` when a host of this name is admitted already.
 */
export async function admitHost(
	home: string,
	host: string,
	directory: string,
	to: readonly AccessKind[] = ['repositories'],
	hostId?: string,
): Promise<HostKeys> {
	await mustBeNew(home, host);
	const { authority } = await serviceKeys(home);
	const making = await mkdtemp(`${directory}.making-`);
	try {
		await signInto(making, authority, host);
		await keepOnly(making, ['authority.crt', 'host.key', 'host.crt']);
		await rename(making, directory).catch((cause: unknown) => {
			const taken = isErrno(cause, 'ENOTEMPTY') || isErrno(cause, 'EEXIST') || isErrno(cause, 'ENOTDIR');
			throw taken ? new RouseError('usage', `${directory} is there already`, { cause }) : cause;
		});
		await syncDirectory(dirname(directory));
		const keys = hostKeysIn(directory);
		await recordAdmitted(home, { host, certificate: await readFile(keys.certificate), to, hostId });
		return keys;
	} catch (error) {
		await rm(making, { recursive: true, force: true });
		throw error;
	}
}

/** The same as texts, for a host that is let in later, when it is recorded. Nothing of them stays here. */
export async function signHost(home: string, host: string): Promise<KeyTexts> {
	const { authority } = await serviceKeys(home);
	const parent = places.repositoryKeys(home);
	return await whileLocked(join(parent, 'lock'), async () => {
		await removeLeft(parent, 'host-making-');
		const making = await mkdtemp(join(parent, 'host-making-'));
		try {
			await signInto(making, authority, host);
			const keys = hostKeysIn(making);
			const text = (path: string) => readFile(path, 'utf8');
			return {
				authority: await text(keys.authority),
				certificate: await text(keys.certificate),
				key: await text(keys.key),
			};
		} finally {
			await rm(making, { recursive: true, force: true });
		}
	});
}

/** As {@link hostKeysIn} names them, among others. */
async function signInto(directory: string, authority: string, host: string): Promise<void> {
	await copyFile(authority, join(directory, 'authority.crt'));
	await copyFile(join(dirname(authority), 'authority.key'), join(directory, 'authority.key'));
	await signCertificate(directory, { name: 'host', subject: host, use: 'client' });
}

/** Of tries that died. */
async function removeLeft(parent: string, prefix: string): Promise<void> {
	for (const name of await readdir(parent))
		if (name.startsWith(prefix)) await rm(join(parent, name), { recursive: true });
}

const tokenKeyBytes = 32;

/**
 * A certificate is shown to whoever connects, before it is known who that is. So nothing in it tells what is served: its
 * names are random. The authority's key stays, since hosts come one after the other: beside the key of the tokens and the
 * server's it opens nothing more.
 */
async function makeKeys(directory: string): Promise<void> {
	const parent = dirname(directory);
	await removeLeft(parent, 'making-');
	const making = await mkdtemp(join(parent, 'making-'));
	const name = randomUUID();
	await makeAuthority(making, name);
	await signCertificate(making, { name: 'server', subject: name, use: 'server', dnsName: name });
	await writeFile(join(making, 'token.key'), randomBytes(tokenKeyBytes), { mode: 0o600 });
	await keepOnly(making, ['authority.crt', 'authority.key', 'server.crt', 'server.key', 'token.key']);
	await rename(making, directory);
	await syncDirectory(parent);
}
