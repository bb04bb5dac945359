/** What a seed becomes: files, as text. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { stringify } from 'yaml';
import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { refusalText } from '../../model/issue-text.ts';
import { nameSchema } from '../../model/names.ts';
import type { HypervHost } from '../../system/hyperv-host.ts';
import { type Config, configSchema, identityText, places } from '../../system/installation.ts';
import type { Seed } from './seed.ts';

export interface NewFile {
	/** From the directory that they are for. */
	path: string;
	text: string;
}

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
	const { hostId, temporal, repository, windows } = seed;
	const { tls } = temporal;
	return [
		...(hostId === undefined ? [] : [{ path: places.hostIdentity(''), text: identityText(hostId) }]),
		...keyFiles('temporal', tls),
		...(temporal.payloadKey === undefined
			? []
			: [{ path: 'keys/temporal/payload.key', text: `${temporal.payloadKey}\n` }]),
		...(repository === undefined ? [] : keyFiles('repository', repository)),
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

function keyFiles(what: string, keys: { authority: string; certificate: string; key: string }): NewFile[] {
	return [
		{ path: `keys/${what}/authority.crt`, text: keys.authority },
		{ path: `keys/${what}/host.crt`, text: keys.certificate },
		{ path: `keys/${what}/host.key`, text: keys.key },
	];
}

function keyPaths(what: string, home: string): { authority: string; certificate: string; key: string } {
	const at = (name: string) => join(home, 'keys', what, name);
	return { authority: at('authority.crt'), certificate: at('host.crt'), key: at('host.key') };
}

function configOf({ name, kind, temporal, repository, windows }: Seed, home: string): unknown {
	const { serverName } = temporal.tls;
	const config = {
		host: { name, kind, ...(windows === undefined ? {} : { hyperv: hypervOf(windows) }) },
		...(repository === undefined ? {} : { repositoriesElsewhere: elsewhereOf(repository, home) }),
		temporal: {
			address: temporal.address,
			...(temporal.namespace === undefined ? {} : { namespace: temporal.namespace }),
			tls: { ...keyPaths('temporal', home), ...(serverName === undefined ? {} : { serverName }) },
			...(temporal.payloadKey === undefined ? {} : { payloadKeyFile: join(home, 'keys', 'temporal', 'payload.key') }),
		},
	};
	const result = configSchema.safeParse(config);
	if (!result.success)
		throw new RouseError('config_invalid', `the seed makes a config.yaml that says ${refusalText(result.error)}`);
	return config;
}

function elsewhereOf(
	{ name, directory, host, port }: NonNullable<Seed['repository']>,
	home: string,
): Config['repositoriesElsewhere'] {
	return { [name]: { directory, host, port, ...keyPaths('repository', home) } };
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
