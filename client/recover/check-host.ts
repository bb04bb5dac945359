import { RouseError } from '../../model/errors.ts';
import type { RecoveryPlan } from '../../model/recovery.ts';
import type { HostView } from '../../supervisor/protocol.ts';
import { formatBytes } from '../cli/format.ts';

/** What a plan needs and this host lacks, before anything is made there: `space_short`, `precheck_failed`. */
export function checkHost({ disks, allocate, config }: RecoveryPlan, host: HostView): void {
	const neededBytes = disks.reduce((sum, disk) => sum + disk.sizeBytes, 0);
	if (allocate === 'start' && neededBytes > host.freeBytes)
		throw new RouseError(
			'space_short',
			`the disks take ${formatBytes(neededBytes)} (${neededBytes} bytes), host ${host.name} has ${formatBytes(host.freeBytes)} free`,
			{
				hint: 'make room there, or take the space as it fills: --allocate thin',
				details: { neededBytes, freeBytes: host.freeBytes },
			},
		);
	if (!host.firmwares.includes(config.firmware))
		throw new RouseError(
			'precheck_failed',
			`the machine needs ${config.firmware} firmware, host ${host.name} has ${host.firmwares.join(', ') || 'none'}`,
			{
				hint: 'rouse doctor says what to install',
			},
		);
}
