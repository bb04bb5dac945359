/** What a seed becomes: files, as text. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { stringify } from 'yaml';
import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { refusalText } from '../../model/issue-text.ts';
import { nameSchema } from '../../model/names.ts';
import { accessConfig, accessFiles, type HostAccess } from '../../system/host-access.ts';
import type { HypervHost } from '../../system/hyperv-host.ts';
import { configSchema, identityText, places } from '../../system/installation.ts';
import type { NewFile } from '../../system/write-new-files.ts';
import type { Seed } from './seed.ts';

/** `appliance.json` in the home: written last, so that all it speaks of is there. */
export const recordSchema = z.strictObject({
	version: z.literal(0),
	name: nameSchema,
	/** Of the seed's `renewal`. */
	renewalDigest: z.string(),
});
export type ApplianceRecord = z.infer<typeof recordSchema>;
export const recordFile = 'appliance.json';

export function digestOf(renewal: string): string {
	return createHash('sha256').update(renewal).digest('hex');
}

/** Of the home, in the order in which they are written. Throws `config_invalid` for what config.yaml may not say. */
export function homeFiles(seed: Seed, home: string): NewFile[] {
	const { hostId, windows } = seed;
	return [
		...(hostId === undefined ? [] : [{ path: places.hostIdentity(''), text: identityText(hostId) }]),
		...accessFiles(accessOf(seed), 'keys'),
		...(windows === undefined
			? []
			: [
					{ path: 'keys/windows/identity', text: windows.key },
					{ path: 'keys/windows/known_hosts', text: `${windows.hostKeys.join('\n')}\n` },
				]),
		{ path: 'config.yaml', text: stringify(configOf(seed, home)) },
		{ path: recordFile, text: `${JSON.stringify(recordOf(seed), undefined, '\t')}\n` },
	];
}

function configOf(seed: Seed, home: string): unknown {
	const { name, kind, windows } = seed;
	const config = {
		host: { name, kind, ...(windows === undefined ? {} : { hyperv: hypervOf(windows) }) },
		...accessConfig(accessOf(seed), join(home, 'keys')),
	};
	const result = configSchema.safeParse(config);
	if (!result.success)
		throw new RouseError('config_invalid', `the seed makes a config.yaml that says ${refusalText(result.error)}`);
	return config;
}

function accessOf({ temporal, repository }: Seed): HostAccess {
	if (repository === undefined) return { temporal, repositories: [] };
	const { authority, certificate, key, ...served } = repository;
	return { temporal, repositoryKeys: { authority, certificate, key }, repositories: [served] };
}

function hypervOf({ host, port, user, datastore, appliance, address }: NonNullable<Seed['windows']>): HypervHost {
	return {
		ssh: `${user}@${host}`,
		port,
		identityFile: 'keys/windows/identity',
		knownHostsFile: 'keys/windows/known_hosts',
		datastore,
		appliance,
		address,
	};
}

function recordOf({ name, renewal }: Seed): ApplianceRecord {
	return { version: 0, name, renewalDigest: digestOf(renewal) };
}

/** Of the system's `/etc`; none of them is a secret. */
export function systemFiles({ name, networks }: Seed): NewFile[] {
	const servers = networks.flatMap(({ nameServers }) => nameServers);
	return [
		{ path: 'hostname', text: `${name}\n` },
		{ path: 'hosts', text: `127.0.0.1 localhost\n127.0.1.1 ${name}\n::1 localhost\n` },
		{ path: 'resolv.conf', text: servers.map(server => `nameserver ${server}\n`).join('') },
		...networks.map((network, number) => ({
			path: `systemd/network/10-rouse-${number}.network`,
			text: networkFile(network),
		})),
	];
}

/** systemd.network(5). */
function networkFile({ mac, address, gateway }: Seed['networks'][number]): string {
	const lines = address === 'dhcp' ? ['DHCP=yes'] : [`Address=${address}`];
	if (gateway !== undefined) lines.push(`Gateway=${gateway}`);
	return `[Match]\nMACAddress=${mac}\n\n[Network]\n${lines.join('\n')}\n`;
}
