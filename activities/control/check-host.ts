import { RouseError } from '../../model/errors.ts';
import type { RecoveryPlan } from '../../model/recovery.ts';
import { type HostView, protocolVersion } from '../../supervisor/protocol.ts';

/**
 * Whether this host can carry out the plan now; returns what a person should know. Throws `host_unknown`, `tool_missing`,
 * `config_invalid`, `precheck_failed`, `space_short` and `protocol`. The host looks again when it comes to each step.
 */
export function checkHost(plan: RecoveryPlan, hostId: string, host: HostView): string[] {
	if (host.hostId !== hostId)
		throw new RouseError('host_unknown', `the supervisor is of host ${host.name} (${host.hostId}), not ${hostId}`);
	checkUsable(host);
	const { firmware } = plan.config;
	if (!host.firmwares.includes(firmware))
		throw new RouseError('precheck_failed', `host ${host.name} cannot start machines with firmware "${firmware}"`, {
			hint: 'rouse doctor says what is missing',
		});
	for (const { target } of plan.nics) checkNetwork(target, host);
	return [...host.warnings, ...checkMemory(plan, host), ...checkSpace(plan, host)];
}

/** Throws `protocol` when it speaks of other things in the same words, and the code that makes the host unusable. */
export function checkUsable({ name, protocol, unusable }: HostView): void {
	if (protocol !== protocolVersion)
		throw new RouseError('protocol', `the supervisor of ${name} speaks protocol ${protocol}, not ${protocolVersion}`, {
			hint: 'its version of Rouse is another one: rouse down, then rouse up',
		});
	if (unusable) throw new RouseError(unusable.code, unusable.message, { hint: unusable.hint });
}

/** Throws `config_invalid` unless a NIC may lead there. */
export function checkNetwork(target: string, { name, networks }: HostView): void {
	const known = [...networks.map(network => network.name), 'none'];
	if (known.includes(target)) return;
	throw new RouseError('config_invalid', `host ${name} has no network "${target}"`, {
		hint: `it has: ${known.join(', ')}`,
	});
}

function checkMemory({ config }: RecoveryPlan, { name, memory }: HostView): string[] {
	const { memoryMiB } = config;
	if (memoryMiB > memory.totalMiB)
		throw new RouseError('precheck_failed', `host ${name} has ${memory.totalMiB} MiB, the machine takes ${memoryMiB}`, {
			hint: 'recover it on a larger host, or import it with less memory: --spec',
			details: { neededMiB: memoryMiB, totalMiB: memory.totalMiB },
		});
	if (memoryMiB <= memory.freeMiB) return [];
	return [`host ${name} has ${memory.freeMiB} MiB of memory free; the machine takes ${memoryMiB}`];
}

function checkSpace({ disks, allocate }: RecoveryPlan, { freeBytes, name }: HostView): string[] {
	const wholeBytes = disks.reduce((sum, disk) => sum + disk.sizeBytes, 0);
	const dataBytes = disks.reduce((sum, disk) => sum + disk.dataBytes, 0);
	const neededBytes = allocate === 'start' ? wholeBytes : dataBytes;
	if (freeBytes < neededBytes && allocate === 'start')
		throw new RouseError('space_short', `host ${name} has ${freeBytes} bytes free, the disks take ${neededBytes}`, {
			hint: 'make room there, or take the space as it fills: --allocate thin',
			details: { neededBytes, freeBytes },
		});
	if (freeBytes >= neededBytes) return [];
	return [`host ${name} has ${freeBytes} bytes free; all data of the restore point would take ${neededBytes}`];
}
