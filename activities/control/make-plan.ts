import { assumedOf, assumedText } from '../../model/assumed.ts';
import { RouseError } from '../../model/errors.ts';
import { isolatedNetwork, mustLeadNowhere } from '../../model/isolated-network.ts';
import type { MachineConfig } from '../../model/machine.ts';
import { pointWarnings } from '../../model/point-warnings.ts';
import type { PlannedNic, RecoveryPlan, RecoveryRequest } from '../../model/recovery.ts';
import type { RestorePoint } from '../../repository/points.ts';

export interface PlanOptions {
	/** Six random bytes for each new MAC address. */
	randomBytes: (size: number) => Uint8Array;
}

/**
 * Everything that the steps on the host need to know, out of the request and the restore point, but for what the host's
 * platform chooses. Throws `name_conflict` when the point that now has this name is another than the one that was asked for.
 */
export function makePlan(
	request: RecoveryRequest,
	{ manifest, manifestDigest }: RestorePoint,
	options: PlanOptions,
): RecoveryPlan {
	if (manifestDigest !== request.manifestDigest)
		throw new RouseError(
			'name_conflict',
			`${request.machine}@${request.restorePoint} is ${manifestDigest.slice(0, 12)}…, but ${request.manifestDigest.slice(0, 12)}… was asked for`,
			{ hint: 'the point was replaced since: start a new recovery of it' },
		);
	const nics = planNics(request, manifest.config, options);
	if (request.drill) mustLeadNowhere(nics);
	return {
		machineName: request.machineName,
		machine: request.machine,
		restorePoint: request.restorePoint,
		manifestDigest,
		repository: request.repository,
		...resize(manifest.config, request),
		nics,
		...(request.forwards ? { forwards: request.forwards } : {}),
		disks: manifest.disks,
		platformOptions: request.platformOptions,
		hardware: null,
		allocate: request.allocate,
		...(request.drill ? { drill: request.drill } : {}),
		warnings: [
			...pointWarnings(manifest),
			...warnAssumed(request, manifest),
			...warnUnknownNetworks(request, manifest.config),
			...(request.drill ? sayIsolated(nics) : warnNics(nics)),
		],
	};
}

function resize(config: MachineConfig, { memoryMiB, cpus }: RecoveryRequest): Pick<RecoveryPlan, 'config' | 'had'> {
	const asked = { ...(memoryMiB === undefined ? {} : { memoryMiB }), ...(cpus === undefined ? {} : { cpus }) };
	if (Object.keys(asked).length === 0) return { config };
	const had = {
		...(memoryMiB === undefined ? {} : { memoryMiB: config.memoryMiB }),
		...(cpus === undefined ? {} : { cpus: config.cpus }),
	};
	return { config: { ...config, ...asked }, had };
}

function warnAssumed({ cpus, memoryMiB }: RecoveryRequest, { config, facts }: RestorePoint['manifest']): string[] {
	const asked = { cpus, memoryMiB, nics: undefined };
	const assumed = assumedOf(facts).filter(member => asked[member] === undefined);
	if (assumed.length === 0) return [];
	return [`assumed, since nobody knew what the original had: ${assumedText(assumed, config)}`];
}

function planNics(request: RecoveryRequest, { nics }: MachineConfig, { randomBytes }: PlanOptions): PlannedNic[] {
	const unsaid = request.drill ? isolatedNetwork : 'none';
	return nics.map(({ mac, network }) => ({
		mac: request.newMac ? randomMac(randomBytes) : mac,
		network,
		// The original may still be alive with the same address: a link is up only where somebody said so.
		// By its own keys: the name is out of the backup, and may be one that every object answers to.
		target: (Object.hasOwn(request.networks, network) ? request.networks[network] : undefined) ?? unsaid,
	}));
}

/** A prefix that belongs to no maker: 52 has the bit "locally administered" set (IEEE 802, section 8.2). */
function randomMac(randomBytes: PlanOptions['randomBytes']): string {
	return ['52', '54', '00', ...[...randomBytes(3)].map(byte => byte.toString(16).padStart(2, '0'))].join(':');
}

function warnUnknownNetworks({ networks }: RecoveryRequest, { nics }: MachineConfig): string[] {
	const known = new Set(nics.map(({ network }) => network));
	return Object.keys(networks)
		.filter(network => !known.has(network))
		.map(network => `no NIC of the machine is connected to network "${network}"`);
}

function sayIsolated(nics: readonly PlannedNic[]): string[] {
	const alone = nics.filter(({ target }) => target === isolatedNetwork).map(({ mac }) => mac);
	if (alone.length === 0) return [];
	return [`isolated: ${alone.join(', ')} may be the addresses of the original, which the machine does not reach`];
}

function warnNics(nics: readonly PlannedNic[]): string[] {
	return nics
		.filter(({ target }) => target === 'none')
		.map(({ mac, network }) => `NIC ${mac}: link down (network "${network}" leads nowhere)`);
}
