import type { Adoption } from '../model/adoption.ts';
import { RouseError } from '../model/errors.ts';
import type { RecoveryRequest } from '../model/recovery.ts';
import type { HostView } from '../supervisor/protocol.ts';

/** The request of a recovery whose workflow is lost, and what of it nobody knows any more. */
export interface AdoptedRequest {
	request: RecoveryRequest;
	lost: string[];
}

/** What is kept nowhere but in the workflow. */
const neverKept = ['orders and changes of policy since the request, but for the rate of a migration that was begun'];

/**
 * As the host has kept it; else made out of its plan, and then nothing happens by itself that was not begun: a switch
 * cannot be taken back. Throws `phase_wrong` when the host has neither.
 */
export function adoptedRequest(
	name: string,
	{ request, plan, copy, powerOnScheduled, powerDesired }: Adoption,
	host: Pick<HostView, 'name' | 'hostId'>,
): AdoptedRequest {
	const here = { host: host.name, hostId: host.hostId };
	if (request) return { request: { ...request, ...here }, lost: neverKept };
	if (!plan)
		throw new RouseError('phase_wrong', `nothing is known of ${name} but that it has a place on host ${host.name}`, {
			details: { recovery: name },
		});
	const {
		machine,
		restorePoint,
		manifestDigest,
		repository,
		machineName,
		allocate,
		platformOptions,
		nics,
		forwards,
		config,
		had,
		drill,
	} = plan;
	return {
		request: {
			name,
			machine,
			restorePoint,
			manifestDigest,
			repository,
			...here,
			machineName,
			allocate,
			platformOptions,
			networks: Object.fromEntries(nics.map(({ network, target }) => [network, target])),
			...(forwards ? { forwards } : {}),
			...(had?.memoryMiB === undefined ? {} : { memoryMiB: config.memoryMiB }),
			...(had?.cpus === undefined ? {} : { cpus: config.cpus }),
			newMac: false,
			powerOn: !powerOnScheduled || powerDesired === 'on',
			...(drill ? { drill } : {}),
			policy: { finish: 'manual', switch: 'manual', maxRateBytes: copy.maxRateBytes },
			reason: '',
			requestedBy: 'unknown',
		},
		lost: [...neverKept, 'who asked for it, and why', 'its policy: now it migrates and switches when told'],
	};
}
