/** What a host may ask for at the service of a repository. No I/O. */
import { RouseError } from '../../model/errors.ts';
import type { Grant, HeldGrant } from './grants.ts';

export interface Asking {
	/** As the certificate that it shows names it. */
	host: string;
	/** The directory that is served. */
	repository: string;
	recoveryId: string;
}

/** For the token and the pin of a recovery: its grant. `access_denied` for whoever has none, in the same words whatever is missing. */
export function mustBeGranted(held: HeldGrant | undefined, asking: Asking): Grant {
	if (held === undefined || held.ended || !isFor(held.grant, asking)) throw denied(asking);
	return held.grant;
}

/** For taking its pin away: false when there is nothing to take away for this host. `access_denied` for another host's. */
export function mayUnpin(held: HeldGrant | undefined, asking: Asking): boolean {
	if (held === undefined) return false;
	if (!isFor(held.grant, asking)) throw denied(asking);
	return true;
}

function isFor(grant: Grant, { host, repository, recoveryId }: Asking): boolean {
	return grant.host === host && grant.repository === repository && grant.recoveryId === recoveryId;
}

function denied({ host, repository, recoveryId }: Asking): RouseError {
	return new RouseError('access_denied', `no recovery ${recoveryId} of host ${host} reads from ${repository} here`, {
		hint: 'the host is admitted by the name that its config.yaml says (host.name), and the service runs in the installation whose control worker pins',
	});
}
