/** What a host elsewhere is told of this installation: where Temporal and a repository are, and what opens them. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type ServedAddresses, servedAddresses } from '../../keeper/served-addresses.ts';
import { RouseError } from '../../model/errors.ts';
import { type AccessKind, readAdmitted, recordAdmitted } from '../../repository/service/admitted-hosts.ts';
import { admitHost, hostKeysIn } from '../../repository/service/service-keys.ts';
import type { KeyTexts, ServedRepository, TemporalAccess } from '../../system/host-access.ts';
import { exists } from '../../system/if-there.ts';
import { type Config, type Installation, loadConfig } from '../../system/installation.ts';
import { isLocal } from '../../system/temporal-target.ts';

/** Before any key is made. */
export interface PlannedTemporal {
	/** What it is let in to here; Temporal only where that is ours. */
	to: AccessKind[];
	temporal: Pick<TemporalAccess, 'address' | 'namespace'> & { serverName?: string };
	/** Absent: those that the host is admitted with. */
	temporalKeys?: KeyTexts;
	payloadKey?: string;
}

export interface PlannedAccess extends PlannedTemporal {
	repository: ServedRepository;
}

/** Throws `config_invalid` with what to write into config.yaml where there is nothing that a host elsewhere reaches. */
export async function planAccess(installation: Installation): Promise<PlannedAccess> {
	const config = await loadConfig(installation);
	const served = await servedAddresses(installation, config);
	const repository = chosenOf(config, repositoriesOf(config, served));
	return { repository, ...(await planTemporal(installation, config, served, repository)) };
}

/** The same for a host that reads from every repository that is served. */
export async function planInvitation(
	installation: Installation,
): Promise<PlannedTemporal & { repositories: ServedRepository[] }> {
	const config = await loadConfig(installation);
	const served = await servedAddresses(installation, config);
	const repositories = repositoriesOf(config, served);
	return { repositories, ...(await planTemporal(installation, config, served, repositories[0])) };
}

async function planTemporal(
	installation: Installation,
	config: Config,
	served: ServedAddresses | undefined,
	repository: ServedRepository,
): Promise<PlannedTemporal> {
	const payloadKey = await payloadKeyOf(installation, config);
	const common = payloadKey === undefined ? {} : { payloadKey };
	if (config.temporal.address !== undefined)
		return { ...common, to: ['repositories'], ...(await configuredTemporal(installation, config)) };
	if (served?.temporal === undefined)
		throw new RouseError('config_invalid', 'config.yaml has no Temporal server that a host elsewhere reaches', {
			hint: `write into config.yaml: serve: {address: ADDRESS OF THIS MACHINE, temporal: 7401, repositories: {${repository.name}: ${repository.port}}}; or temporal.address of a server elsewhere, with its tls`,
		});
	const { serverName, temporal } = served;
	return { ...common, to: ['repositories', 'temporal'], temporal: { ...temporal, serverName } };
}

function repositoriesOf(
	config: Config,
	served: ServedAddresses | undefined,
): [ServedRepository, ...ServedRepository[]] {
	const [first, ...more] = Object.entries(served?.repositories ?? {}).flatMap(([name, at]) => {
		const directory = config.repositories[name];
		return directory === undefined ? [] : [{ name, directory, ...at }];
	});
	if (first !== undefined) return [first, ...more];
	const known = Object.keys(config.repositories)[0] ?? 'NAME';
	throw new RouseError('config_invalid', 'config.yaml serves no repository to hosts elsewhere', {
		hint: `write into config.yaml: serve: {address: ADDRESS OF THIS MACHINE, temporal: 7401, repositories: {${known}: 7402}}`,
	});
}

function chosenOf(config: Config, served: [ServedRepository, ...ServedRepository[]]): ServedRepository {
	const [first, ...more] = served;
	const chosen = more.length === 0 ? first : served.find(({ name }) => name === config.defaultRepository);
	if (chosen !== undefined) return chosen;
	const names = served.map(({ name }) => name).join(', ');
	throw new RouseError(
		'config_invalid',
		`config.yaml serves ${names}, and a host reads one of them: defaultRepository is none`,
		{ hint: `write into config.yaml: defaultRepository: ${first.name}` },
	);
}

async function configuredTemporal(
	{ home }: Installation,
	{ temporal }: Config,
): Promise<Pick<PlannedTemporal, 'temporal'> & { temporalKeys: KeyTexts }> {
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
	hostId: string,
): Promise<void> {
	const admitted = (await readAdmitted(home)).some(({ host }) => host === name);
	if (!(await exists(directory))) return void (await admitHost(home, name, directory, to, hostId));
	if (admitted) return;
	const certificate = await readFile(hostKeysIn(directory).certificate);
	await recordAdmitted(home, { host: name, certificate, to, hostId });
}

/** For the seed. `directory`: see {@link admitOnce}. */
export async function readAccess(
	planned: PlannedAccess,
	directory: string,
): Promise<{ temporal: TemporalAccess; repository: ServedRepository & KeyTexts }> {
	const own = await readKeys(hostKeysIn(directory));
	return { temporal: temporalAccess(planned, own), repository: { ...planned.repository, ...own } };
}

/** `own`: those that the host is admitted with. */
export function temporalAccess({ temporal, temporalKeys, payloadKey }: PlannedTemporal, own: KeyTexts): TemporalAccess {
	const { serverName, ...place } = temporal;
	return {
		...place,
		tls: { ...(temporalKeys ?? own), ...(serverName === undefined ? {} : { serverName }) },
		...(payloadKey === undefined ? {} : { payloadKey }),
	};
}

async function readKeys({ authority, certificate, key }: KeyTexts): Promise<KeyTexts> {
	return {
		authority: await readFile(authority, 'utf8'),
		certificate: await readFile(certificate, 'utf8'),
		key: await readFile(key, 'utf8'),
	};
}
