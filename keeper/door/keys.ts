/** The keys and certificates of the door to the embedded Temporal server. */
import { mkdir, mkdtemp, open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import { isErrno, syncDirectory } from '../../system/durable-file.ts';
import { places } from '../../system/installation.ts';
import { runTool } from '../../system/run-tool.ts';

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
		await writeFile(join(directory, 'openssl.cnf'), configuration);
		await writeFile(join(directory, 'index.txt'), '');
		await sign(directory, 'authority', ['-selfsign', '-keyfile', 'authority.key']);
		const by = ['-cert', 'authority.crt', '-keyfile', 'authority.key'];
		await sign(directory, 'door', by);
		await sign(directory, 'client', by);
		const made = keysIn(directory);
		const kept = new Set(
			[made.authority, ...Object.values(made.door), ...Object.values(made.client)].map(p => basename(p)),
		);
		for (const name of await readdir(directory)) {
			if (kept.has(name)) await syncFile(join(directory, name));
			else await rm(join(directory, name), { recursive: true });
		}
		await syncDirectory(directory);
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

/** All names are within the directory, where openssl runs: in its configuration `#` and `$` of a path mean something else. */
async function sign(cwd: string, name: 'authority' | 'door' | 'client', by: readonly string[]): Promise<void> {
	const [key, request, certificate] = [`${name}.key`, `${name}.csr`, `${name}.crt`];
	await openssl(cwd, ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', key]);
	const subject = ['-subj', `/CN=rouse ${name}`];
	await openssl(cwd, ['req', '-new', '-config', 'openssl.cnf', '-key', key, ...subject, '-out', request]);
	const what = ['-in', request, '-out', certificate, '-extensions', name, ...by];
	await openssl(cwd, ['ca', '-batch', '-notext', '-config', 'openssl.cnf', ...validity, ...what]);
}

/** A host whose clock is wrong must not lose its recoveries: from before any clock's beginning to the last of X.509's days. */
const validity = ['-startdate', '19700101000000Z', '-enddate', '99991231235959Z'];

/** ca(1), x509v3_config(5). What a certificate is for is critical: the door's opens nothing as a client's. */
const configuration = `[ca]
default_ca = here
[here]
database = index.txt
new_certs_dir = .
default_md = sha256
rand_serial = yes
unique_subject = no
policy = any
[any]
commonName = supplied
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical,CA:true,pathlen:0
keyUsage = critical,keyCertSign
subjectKeyIdentifier = hash
[door]
basicConstraints = critical,CA:false
extendedKeyUsage = critical,serverAuth
subjectAltName = DNS:${doorName}
authorityKeyIdentifier = keyid
[client]
basicConstraints = critical,CA:false
extendedKeyUsage = critical,clientAuth
authorityKeyIdentifier = keyid
`;

async function openssl(cwd: string, args: readonly string[]): Promise<void> {
	const { code, tail } = await runTool('openssl', args, { cwd, hint: 'apt-get install openssl', silenceMs: 60_000 });
	if (code !== 0) throw new RouseError('tool_failed', `openssl ${args[0]} failed: ${tail.join(' ')}`);
}

async function syncFile(path: string): Promise<void> {
	const file = await open(path, 'r+');
	try {
		await file.chmod(0o600);
		await file.sync();
	} finally {
		await file.close();
	}
}
