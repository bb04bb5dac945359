import { RouseError } from '../../model/errors.ts';
import { formatBytes } from '../../model/format-bytes.ts';
import type { RecoveryPlan } from '../../model/recovery.ts';
import type { HostView } from '../../supervisor/protocol.ts';

/**
 * Whether this host can carry out the plan now; returns what a person should know. Throws `host_unknown`, `tool_missing`,
 * `precheck_failed` and `space_short`. The host looks again when it comes to each step.
 */
export function checkHost(plan: RecoveryPlan, hostId: string, host: HostView): string[] {
	if (host.hostId !== hostId)
		throw new RouseError('host_unknown', `the supervisor is of host ${host.name} (${host.hostId}), not ${hostId}`);
	if (host.unusable) {
		const { code, message, hint } = host.unusable;
		throw new RouseError(code, message, { hint });
	}
	const { firmware } = plan.config;
	if (!host.firmwares.includes(firmware))
		throw new RouseError('precheck_failed', `host ${host.name} cannot start machines with firmware "${firmware}"`, {
			hint: 'rouse doctor says what is missing',
		});
	return [...host.warnings, ...checkSpace(plan, host)];
}

function checkSpace({ disks, allocate }: RecoveryPlan, { freeBytes, name }: HostView): string[] {
	const wholeBytes = disks.reduce((sum, disk) => sum + disk.sizeBytes, 0);
	const dataBytes = disks.reduce((sum, disk) => sum + disk.dataBytes, 0);
	const neededBytes = allocate === 'start' ? wholeBytes : dataBytes;
	if (freeBytes < neededBytes && allocate === 'start')
		throw new RouseError(
			'space_short',
			`host ${name} has ${formatBytes(freeBytes)} free, the disks take ${formatBytes(neededBytes)}`,
			{
				hint: 'make room there, or take the space as it fills: --allocate thin',
				details: { neededBytes, freeBytes },
			},
		);
	if (freeBytes >= neededBytes) return [];
	const [free, needed] = [freeBytes, neededBytes].map(formatBytes);
	return [`host ${name} has ${free} free; all data of the restore point would take ${needed}`];
}
