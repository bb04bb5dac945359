/** What a host elsewhere is told of this installation: where Temporal and a repository are, and what opens them. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Seed } from '../../appliance/first-boot/seed.ts';
import { servedAddresses } from '../../keeper/served-addresses.ts';
import { RouseError } from '../../model/errors.ts';
import { type AccessKind, readAdmitted, recordAdmitted } from '../../repository/service/admitted-hosts.ts';
import { admitHost, hostKeysIn } from '../../repository/service/service-keys.ts';
import { exists } from '../../system/if-there.ts';
import { type Config, type Installation, loadConfig } from '../../system/installation.ts';
import { isLocal } from '../../system/temporal-target.ts';

type Temporal = Seed['temporal'];
type Repository = NonNullable<Seed['repository']>;
type Keys = Pick<Repository, 'authority' | 'certificate' | 'key'>;

/** Before any key is made. */
export interface PlannedAccess {
	/** What it is let in to here; Temporal only where that is ours. */
	to: AccessKind[];
	temporal: Pick<Temporal, 'address' | 'namespace'> & { serverName?: string };
	/** Absent: those that the host is admitted with. */
	temporalKeys?: Keys;
	payloadKey?: string;
	repository: Omit<Repository, keyof Keys>;
}

/** Throws `config_invalid` with what to write into config.yaml where there is nothing that a host elsewhere reaches. */
export async function planAccess(installation: Installation): Promise<PlannedAccess> {
	const config = await loadConfig(installation);
	const served = await servedAddresses(installation, config);
	const repository = repositoryOf(config, served?.repositories ?? {});
	const payloadKey = await payloadKeyOf(installation, config);
	const common = { repository, ...(payloadKey === undefined ? {} : { payloadKey }) };
	if (config.temporal.address !== undefined)
		return { ...common, to: ['repositories'], ...(await configuredTemporal(installation, config)) };
	if (served?.temporal === undefined)
		throw new RouseError('config_invalid', 'config.yaml has no Temporal server that a host elsewhere reaches', {
			hint: `write into config.yaml: serve: {address: ADDRESS OF THIS MACHINE, temporal: 7401, repositories: {${repository.name}: ${repository.port}}}; or temporal.address of a server elsewhere, with its tls`,
		});
	const { serverName, temporal } = served;
	return { ...common, to: ['repositories', 'temporal'], temporal: { ...temporal, serverName } };
}

function repositoryOf(
	config: Config,
	served: Record<string, { host: string; port: number }>,
): PlannedAccess['repository'] {
	const names = Object.keys(served);
	const name = names.length === 1 ? names[0] : names.find(one => one === config.defaultRepository);
	const at = name === undefined ? undefined : served[name];
	const directory = name === undefined ? undefined : config.repositories[name];
	if (name !== undefined && at !== undefined && directory !== undefined) return { name, directory, ...at };
	const known = Object.keys(config.repositories)[0] ?? 'NAME';
	throw new RouseError(
		'config_invalid',
		names.length === 0
			? 'config.yaml serves no repository to hosts elsewhere'
			: `config.yaml serves ${names.join(', ')}, and a host reads one of them: defaultRepository is none`,
		{
			hint:
				names.length === 0
					? `write into config.yaml: serve: {address: ADDRESS OF THIS MACHINE, temporal: 7401, repositories: {${known}: 7402}}`
					: `write into config.yaml: defaultRepository: ${names[0]}`,
		},
	);
}

async function configuredTemporal(
	{ home }: Installation,
	{ temporal }: Config,
): Promise<Pick<PlannedAccess, 'temporal'> & { temporalKeys: Keys }> {
	const { address = '', namespace, tls, apiKeyFile } = temporal;
	if (isLocal(address))
		throw new RouseError(
			'config_invalid',
			`temporal.address ${address} of config.yaml means another machine elsewhere`,
			{
				hint: 'write its address on the network there',
			},
		);
	if (typeof tls !== 'object' || !tls.authority || !tls.certificate || !tls.key)
		throw new RouseError('config_invalid', 'temporal.tls of config.yaml has not all that a host elsewhere needs', {
			hint: 'write authority, certificate and key: the host gets what is in these files',
		});
	if (apiKeyFile !== undefined)
		throw new RouseError('config_invalid', 'temporal.apiKeyFile of config.yaml cannot be given to a host elsewhere', {
			hint: 'let the server there take the certificate of temporal.tls alone, and take apiKeyFile out',
		});
	return {
		temporal: {
			address,
			...(namespace === undefined ? {} : { namespace }),
			...(tls.serverName === undefined ? {} : { serverName: tls.serverName }),
		},
		temporalKeys: await readKeys({
			authority: resolve(home, tls.authority),
			certificate: resolve(home, tls.certificate),
			key: resolve(home, tls.key),
		}),
	};
}

async function payloadKeyOf({ home }: Installation, { temporal }: Config): Promise<string | undefined> {
	const { payloadKeyFile } = temporal;
	return payloadKeyFile === undefined ? undefined : (await readFile(resolve(home, payloadKeyFile), 'utf8')).trim();
}

/** Lets the host in, with certificates in a directory; again, or after a try that died, the same. */
export async function admitOnce(
	{ home }: Installation,
	name: string,
	directory: string,
	to: readonly AccessKind[],
): Promise<void> {
	const admitted = (await readAdmitted(home)).some(({ host }) => host === name);
	if (!(await exists(directory))) return void (await admitHost(home, name, directory, to));
	if (admitted) return;
	const certificate = await readFile(hostKeysIn(directory).certificate);
	await recordAdmitted(home, { host: name, certificate, to });
}

/** For the seed. `directory`: see {@link admitOnce}. */
export async function readAccess(
	{ temporal, temporalKeys, payloadKey, repository }: PlannedAccess,
	directory: string,
): Promise<Pick<Seed, 'temporal'> & { repository: Repository }> {
	const own = await readKeys(hostKeysIn(directory));
	const { serverName, ...place } = temporal;
	return {
		temporal: {
			...place,
			tls: { ...(temporalKeys ?? own), ...(serverName === undefined ? {} : { serverName }) },
			...(payloadKey === undefined ? {} : { payloadKey }),
		},
		repository: { ...repository, ...own },
	};
}

async function readKeys({ authority, certificate, key }: Keys): Promise<Keys> {
	return {
		authority: await readFile(authority, 'utf8'),
		certificate: await readFile(certificate, 'utf8'),
		key: await readFile(key, 'utf8'),
	};
}
