/** Another machine is let in as a host of this installation, by one file that it joins with. */
import { randomUUID, X509Certificate } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import { mustBeNew, readAdmitted, recordAdmitted, withdrawHost } from '../../repository/service/admitted-hosts.ts';
import { signHost } from '../../repository/service/service-keys.ts';
import { addHostId } from '../../system/configured-hosts.ts';
import { createFileDurably } from '../../system/durable-file.ts';
import { whileLocked } from '../../system/held-lock.ts';
import { exists } from '../../system/if-there.ts';
import { type Installation, loadConfig, places } from '../../system/installation.ts';
import { makeFolders } from '../../system/make-folders.ts';
import { readHostRecord } from '../../hypervisors/hyperv/host-setup/record.ts';
import { planInvitation, temporalAccess } from './given.ts';
import { type Invitation, invitationText, readInvitation } from './invitation.ts';

/**
 * A file for the host, its name in config.yaml, and its certificate among those that are let in. Once more with the same file
 * it is the same; a host that was withdrawn keeps its id. Throws `name_conflict` when the name is another host's, or is let in
 * already by another file, and `usage` for a file that is something else; then nothing was changed.
 */
export async function inviteHost(installation: Installation, name: string, path: string): Promise<Invitation> {
	const { home } = installation;
	const config = await loadConfig(installation);
	if (config.host.name === name) throw taken(name, 'it is this host');
	await makeFolders(places.hosts(home), 0o700);
	// Shared with `host add`.
	return await whileLocked(`${join(places.hosts(home), name)}.lock`, async () => {
		if ((await readHostRecord(join(places.hosts(home), name))) !== undefined) throw taken(name, 'it was added here');
		const planned = await planInvitation(installation);
		if (await exists(path)) return await finish(installation, name, path);
		if (!(await exists(dirname(path)))) throw new RouseError('usage', `there is no directory ${dirname(path)}`);
		await mustBeNew(home, name);
		const keys = await signHost(home, name);
		const invitation: Invitation = {
			version: 0,
			name,
			hostId: (await configuredId(installation, name)) ?? randomUUID(),
			temporal: temporalAccess(planned, keys),
			keys,
			repositories: planned.repositories,
		};
		if (!(await createFileDurably(path, invitationText(invitation), { mode: 0o600 })))
			throw new RouseError('usage', `${path} is there already`);
		try {
			const { hostId } = invitation;
			await recordAdmitted(home, { host: name, certificate: keys.certificate, to: planned.to, hostId });
			await addHostId(installation, name, hostId);
		} catch (error) {
			await withdrawHost(home, name, fingerprintOf(invitation));
			await rm(path, { force: true });
			throw error;
		}
		return invitation;
	});
}

/**
 * A try that came as far as to let the host in is finished. A file whose certificate is not let in opens nothing for good: it may
 * have been withdrawn because somebody else has it.
 */
async function finish(installation: Installation, name: string, path: string): Promise<Invitation> {
	const invitation = await readInvitation(path);
	if (!(await isLetIn(installation, name, invitation)))
		throw new RouseError('usage', `${path} is there already, and opens nothing here for ${name}`, {
			hint: 'remove it, or name another file',
		});
	await addHostId(installation, name, invitation.hostId);
	return invitation;
}

/** Whether the invitation opens what is served here, to the host of this name. */
export async function isLetIn({ home }: Installation, name: string, invitation: Invitation): Promise<boolean> {
	const admitted = (await readAdmitted(home)).find(({ host }) => host === name);
	return invitation.name === name && admitted?.fingerprint === fingerprintOf(invitation);
}

async function configuredId(installation: Installation, name: string): Promise<string | undefined> {
	const { hosts } = await loadConfig(installation);
	return Object.hasOwn(hosts, name) ? hosts[name]?.id : undefined;
}

function fingerprintOf({ keys }: Invitation): string {
	return new X509Certificate(keys.certificate).fingerprint256;
}

function taken(name: string, why: string): RouseError {
	return new RouseError('name_conflict', `${name} cannot be invited: ${why}`, { hint: 'choose another name' });
}
