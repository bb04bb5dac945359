/** Of a name that stands in the records of this installation: what is of one host that `host add` adds, and what is not. */
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { HostRecord } from '../../hypervisors/hyperv/host-setup/record.ts';
import { RouseError } from '../../model/errors.ts';
import { readAdmitted, withdrawHost } from '../../repository/service/admitted-hosts.ts';
import { hostKeysIn } from '../../repository/service/service-keys.ts';
import { removeHostId } from '../../system/configured-hosts.ts';
import { exists } from '../../system/if-there.ts';
import { type Installation, loadConfig } from '../../system/installation.ts';

/**
 * Throws `name_conflict` for a name that another host has, in the record of admitted ones or in `config.yaml`. `access`: where
 * the certificate of this one is, or will be. `phase_wrong` when what this one was let in to was taken away meanwhile.
 */
export async function mustBeOurs(
	installation: Pick<Installation, 'home'>,
	name: string,
	access: string,
	known: Pick<HostRecord, 'hostId' | 'admitted'> | undefined,
): Promise<void> {
	const admitted = (await readAdmitted(installation.home)).find(({ host }) => host === name);
	const own = known === undefined ? undefined : await fingerprintIn(access);
	if (admitted !== undefined && admitted.fingerprint !== own)
		throw new RouseError('name_conflict', `a host ${name} is admitted already, and it is another one`, {
			hint: `choose another name; if that host is no more: rouse host withdraw ${name}`,
			details: { fingerprint: admitted.fingerprint, at: admitted.at },
		});
	if (admitted === undefined && known?.admitted === true)
		throw new RouseError('phase_wrong', `the access of ${name} was taken away since it was let in`, {
			hint: `remove what was made of it first: rouse host remove ${name} --confirm ${name}; then add it anew`,
		});
	const id = await configuredId(installation, name);
	if (id !== undefined && id !== known?.hostId)
		throw new RouseError('name_conflict', `config.yaml has a host ${name} already, with the id ${id}`, {
			hint: 'choose another name; if that host is no more, take it out of hosts there',
		});
}

/** Of the name only what is of this host: another one that has it goes on. MAY find nothing. */
export async function withdrawOurs(
	installation: Pick<Installation, 'home'>,
	name: string,
	access: string,
	{ hostId }: Pick<HostRecord, 'hostId'>,
): Promise<void> {
	if ((await configuredId(installation, name)) === hostId) await removeHostId(installation, name);
	const fingerprint = await fingerprintIn(access);
	if (fingerprint !== undefined) await withdrawHost(installation.home, name, fingerprint);
}

async function configuredId(installation: Pick<Installation, 'home'>, name: string): Promise<string | undefined> {
	const { hosts } = await loadConfig(installation);
	return Object.hasOwn(hosts, name) ? hosts[name]?.id : undefined;
}

async function fingerprintIn(access: string): Promise<string | undefined> {
	if (!(await exists(access))) return undefined;
	return new X509Certificate(await readFile(hostKeysIn(access).certificate)).fingerprint256;
}
