/**
 * `node tools/site-files.ts DIRECTORY`: what docker-compose.yml mounts, made once: an authority and the certificates that it
 * signed, what Temporal's server and PostgreSQL are told, the config.yaml of the control workers, and `compose.env`. A directory
 * that is there is left as it is.
 */
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { databases, databaseUser } from '../keeper/postgres/settings.ts';
import { dynamicConfig, serverConfig } from '../keeper/postgres/server-config.ts';
import { keepOnly, makeAuthority, signCertificate } from '../system/certificates.ts';
import { replaceFileDurably, syncDirectory } from '../system/durable-file.ts';

/** Where the directory is in every container. */
export const inContainer = '/etc/rouse-site';
const file = (name: string) => `${inContainer}/${name}`;

/** In the server's certificate: what its clients expect, whatever address they come by. */
export const serverName = 'temporal.rouse';
export const namespace = 'rouse';

const pair = (name: string) => ({ certFile: file(`${name}.crt`), keyFile: file(`${name}.key`) });
const trusted = { rootCaFiles: [file('authority.crt')], serverName };

/** Every connection shows a certificate of the site's authority, and wants one. */
const tls = {
	internode: {
		server: { ...pair('temporal'), requireClientAuth: true, clientCaFiles: [file('authority.crt')] },
		client: trusted,
	},
	frontend: {
		server: { ...pair('temporal'), requireClientAuth: true, clientCaFiles: [file('authority.crt')] },
		client: trusted,
	},
	systemWorker: { ...pair('client'), client: trusted },
};

/** 512 shards are what a site of any size needs, and can never be changed. */
const historyShards = 512;

export function siteServerConfig() {
	return serverConfig({
		ports: { frontend: 7233, history: 7234, matching: 7235, worker: 7239 },
		bindOnIP: '0.0.0.0',
		database: {
			connectAddr: 'postgres:5432',
			tls: {
				enabled: true,
				caFile: file('authority.crt'),
				...pair('database-client'),
				enableHostVerification: true,
				serverName: 'postgres',
			},
		},
		historyShards,
		dynamicConfig: file('dynamic.json'),
		tls,
	});
}

/** Nobody has a password: the certificate says who it is. */
const hba = `local all postgres peer
hostssl ${Object.values(databases).join(',')} ${databaseUser} all cert
`;

/** Done once by its image, as its superuser. */
const firstSql = [
	`CREATE ROLE ${databaseUser} LOGIN;`,
	...Object.values(databases).map(name => `CREATE DATABASE ${name} OWNER ${databaseUser};`),
].join('\n');

/** Between the services of more than one server, too. */
const ringpopTls = { 'system.enableRingpopTLS': [{ value: true }] };

/** `repositories` and the rest are written into it by hand. */
const workerConfig = {
	temporal: {
		address: 'temporal:7233',
		namespace,
		tls: {
			authority: file('authority.crt'),
			certificate: file('client.crt'),
			key: file('client.key'),
			serverName,
		},
	},
	repositories: {},
};

export async function makeSiteFiles(directory: string, owner: { uid: number; gid: number }): Promise<void> {
	const whole = resolve(directory);
	await mkdir(dirname(whole), { recursive: true });
	const making = await mkdtemp(join(dirname(whole), `.${basename(whole)}-`));
	try {
		await makeAuthority(making, 'rouse site');
		await signCertificate(making, { name: 'postgres', subject: 'postgres', use: 'server', dnsName: 'postgres' });
		await signCertificate(making, { name: 'database-client', subject: databaseUser, use: 'client' });
		await signCertificate(making, { name: 'temporal', subject: 'temporal', use: 'both', dnsName: serverName });
		await signCertificate(making, { name: 'client', subject: 'rouse', use: 'client' });
		await signCertificate(making, { name: 'ui', subject: 'ui', use: 'server', dnsName: 'localhost' });
		const texts = {
			'temporal.json': json(siteServerConfig()),
			'dynamic.json': json({ ...dynamicConfig(), ...ringpopTls }),
			'pg_hba.conf': hba,
			'first.sql': `${firstSql}\n`,
			'compose.env': `ROUSE_SITE=${whole}\nROUSE_USER=${owner.uid}:${owner.gid}\n`,
		};
		for (const [name, text] of Object.entries(texts)) await writeFile(join(making, name), text);
		// The authority's key stays: hosts that come later get certificates of it.
		const keys = ['authority', 'postgres', 'database-client', 'temporal', 'client', 'ui'];
		await keepOnly(making, [...Object.keys(texts), ...keys.flatMap(name => [`${name}.key`, `${name}.crt`])]);
		const home = join(making, 'home');
		await mkdir(home, { mode: 0o700 });
		await replaceFileDurably(join(home, 'config.yaml'), stringify(workerConfig));
		await rename(making, whole);
		await syncDirectory(dirname(whole));
	} catch (error) {
		await rm(making, { recursive: true, force: true });
		throw error;
	}
}

function json(value: object): string {
	return `${JSON.stringify(value, undefined, '\t')}\n`;
}

if (import.meta.main) {
	const [, , directory] = process.argv;
	if (directory === undefined) throw new Error('usage: node tools/site-files.ts DIRECTORY');
	await makeSiteFiles(directory, { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 });
	process.stdout.write(`made ${directory}; then: docker-compose --env-file ${directory}/compose.env up -d\n`);
}
