/** Certificates that an authority of our own signs, by openssl(1). */
import { open, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RouseError } from '../model/errors.ts';
import { syncDirectory } from './durable-file.ts';
import { runTool } from './run-tool.ts';

/** Of one certificate: PEM files `name.key` and `name.crt`. */
export interface CertificateSpec {
	name: string;
	/** Its common name: letters, digits, spaces, `-` and `.`. */
	subject: string;
	/** What it is for is critical: a server's opens nothing as a client's. `both`: of one that calls others of its kind. */
	use: 'server' | 'client' | 'both';
	/** A server's, which its clients expect. */
	dnsName?: string;
}

/** Makes `authority.key` and `authority.crt`, by which {@link signCertificate} signs. Needs openssl (`tool_missing`). */
export async function makeAuthority(directory: string, subject: string): Promise<void> {
	await sign(directory, { name: 'authority', subject, section: 'authority' }, [
		'-selfsign',
		'-keyfile',
		'authority.key',
	]);
}

/** A key, and a certificate of the authority that lies in this directory. */
export async function signCertificate(directory: string, spec: CertificateSpec): Promise<void> {
	const { name, subject, use, dnsName } = spec;
	await sign(directory, { name, subject, section: use, dnsName }, [
		'-cert',
		'authority.crt',
		'-keyfile',
		'authority.key',
	]);
}

/** Brings these files to stable storage, for their owner alone, and removes everything else. */
export async function keepOnly(directory: string, names: readonly string[]): Promise<void> {
	for (const name of await readdir(directory)) {
		if (names.includes(name)) await syncFile(join(directory, name));
		else await rm(join(directory, name), { recursive: true });
	}
	await syncDirectory(directory);
}

interface Signed {
	name: string;
	subject: string;
	section: 'authority' | 'server' | 'client' | 'both';
	dnsName?: string | undefined;
}

/** All names are within the directory, where openssl runs: in its configuration `#` and `$` of a path mean something else. */
async function sign(cwd: string, { name, subject, section, dnsName }: Signed, by: readonly string[]): Promise<void> {
	const [key, request, certificate] = [`${name}.key`, `${name}.csr`, `${name}.crt`];
	await writeFile(join(cwd, 'openssl.cnf'), configuration(dnsName));
	await writeFile(join(cwd, 'index.txt'), '');
	await openssl(cwd, ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', key]);
	const named = ['-subj', `/CN=${subject}`];
	await openssl(cwd, ['req', '-new', '-config', 'openssl.cnf', '-key', key, ...named, '-out', request]);
	const what = ['-in', request, '-out', certificate, '-extensions', section, ...by];
	await openssl(cwd, ['ca', '-batch', '-notext', '-config', 'openssl.cnf', ...validity, ...what]);
}

/** A host whose clock is wrong must not lose its recoveries: from before any clock's beginning to the last of X.509's days. */
const validity = ['-startdate', '19700101000000Z', '-enddate', '99991231235959Z'];

/** ca(1), x509v3_config(5). */
function configuration(dnsName: string | undefined): string {
	return `[ca]
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
[server]
basicConstraints = critical,CA:false
extendedKeyUsage = critical,serverAuth
authorityKeyIdentifier = keyid
${dnsName === undefined ? '' : `subjectAltName = DNS:${dnsName}`}
[both]
basicConstraints = critical,CA:false
extendedKeyUsage = critical,serverAuth,clientAuth
authorityKeyIdentifier = keyid
${dnsName === undefined ? '' : `subjectAltName = DNS:${dnsName}`}
[client]
basicConstraints = critical,CA:false
extendedKeyUsage = critical,clientAuth
authorityKeyIdentifier = keyid
`;
}

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
