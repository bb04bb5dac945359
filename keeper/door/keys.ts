/** The keys and certificates of the door to the embedded Temporal server. */
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { keepOnly, makeAuthority, signCertificate } from '../../system/certificates.ts';
import { isErrno, syncDirectory } from '../../system/durable-file.ts';
import { places } from '../../system/installation.ts';

/** PEM files, all in one directory. */
export interface DoorKeys {
	authority: string;
	door: { key: string; certificate: string };
	/** Of whoever belongs to the installation: workers and the command line. */
	client: { key: string; certificate: string };
}

/** In the door's certificate: nobody's address, since what counts is who has signed it. */
export const doorName = 'temporal.rouse';

export function keysIn(directory: string): DoorKeys {
	const file = (name: string) => join(directory, name);
	return {
		authority: file('authority.crt'),
		door: { key: file('door.key'), certificate: file('door.crt') },
		client: { key: file('client.key'), certificate: file('client.crt') },
	};
}

/**
 * Makes an authority, lets it sign one certificate for the door and one for its clients, and throws its key away: nobody can
 * ever sign a third. Returns the new directory, whole and on stable storage. Needs openssl (`tool_missing`).
 */
export async function makeKeys(home: string): Promise<string> {
	const parent = places.temporalKeys(home);
	await mkdir(parent, { recursive: true, mode: 0o700 });
	const directory = await mkdtemp(join(parent, 'making-'));
	try {
		await makeAuthority(directory, 'rouse authority');
		await signCertificate(directory, { name: 'door', subject: 'rouse door', use: 'server', dnsName: doorName });
		await signCertificate(directory, { name: 'client', subject: 'rouse client', use: 'client' });
		const { authority, door, client } = keysIn(directory);
		const kept = [authority, door.key, door.certificate, client.key, client.certificate];
		await keepOnly(
			directory,
			kept.map(path => basename(path)),
		);
		const whole = join(parent, basename(directory).replace('making-', ''));
		await rename(directory, whole);
		await syncDirectory(parent);
		return whole;
	} catch (error) {
		await rm(directory, { recursive: true, force: true });
		throw error;
	}
}

/** What was made before `current`, and what somebody died over while making it. */
export async function removeOtherKeys(current: string): Promise<void> {
	for (const name of await readdir(dirname(current)))
		if (name !== basename(current)) await rm(join(dirname(current), name), { recursive: true, force: true });
}

export async function haveOtherKeys(current: string): Promise<boolean> {
	return (await readdir(dirname(current))).length > 1;
}

export async function haveKeys(directory: string): Promise<boolean> {
	try {
		return (await readdir(directory)).includes(basename(keysIn(directory).client.certificate));
	} catch (error) {
		if (isErrno(error, 'ENOENT')) return false;
		throw error;
	}
}
