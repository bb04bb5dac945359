import type { RecoveryPlan, RecoveryRequest } from '../../model/recovery.ts';
import { formatBytes } from '../../model/format-bytes.ts';
import { formatDuration } from '../terminal/format.ts';
import { checkText } from './parse-ready.ts';
import { forwardText, nicText } from './text.ts';
import { terminalLine } from '../../system/terminal-text.ts';

/**
 * What `--dry-run` prints: what would be made, where, and what a person should know before. `networks`: where the host lets
 * a NIC lead.
 */
export function planText(request: RecoveryRequest, plan: RecoveryPlan, networks: readonly string[]): string {
	const { cpus, memoryMiB, firmware } = plan.config;
	const lines = [`plan: ${plan.machine}@${plan.restorePoint} as ${plan.machineName} on ${whereOf(request)}`];
	const row = (label: string, value: string) => lines.push(`  ${label.padEnd(10)} ${terminalLine(value)}`);
	row('machine', `${cpus} vCPU, ${formatBytes(memoryMiB * 1024 * 1024)}, ${firmware}`);
	for (const [index, disk] of plan.disks.entries())
		row(
			`disk${index}`,
			`${formatBytes(disk.sizeBytes)}, ${formatBytes(disk.dataBytes)} of it data; ${allocation(plan)}`,
		);
	for (const [index, nic] of plan.nics.entries()) row(`nic${index}`, nicText(nic));
	const down = plan.nics.find(({ target }) => target === 'none');
	if (down) row('note', `--network ${down.network}=NAME says where it leads: ${[...networks, 'none'].join(', ')}`);
	for (const forward of plan.forwards ?? []) row('forward', forwardText(forward));
	for (const { what, chosen, why } of plan.hardware?.choices ?? []) row('chosen', `${what}: ${chosen} (${why})`);
	if (request.readiness)
		row('ready', `when ${checkText(request.readiness.check)}, within ${formatDuration(request.readiness.timeoutMs)}`);
	row('then', afterwards(request));
	const warnings = new Set([...plan.warnings, ...(plan.hardware?.warnings ?? [])]);
	for (const warning of warnings) row('warning', warning);
	lines.push('Nothing was changed. Without --dry-run the recovery starts.');
	return lines.join('\n');
}

/** Over a pool the first that answered was asked what its platform would choose. */
function whereOf({ host, pool }: RecoveryRequest): string {
	return pool ? `one of ${pool.map(place => place.host).join(', ')}` : host;
}

function allocation({ allocate }: RecoveryPlan): string {
	return allocate === 'start' ? 'space is taken at the start' : 'space is taken as it fills';
}

function afterwards({ powerOn, policy }: RecoveryRequest): string {
	const power = powerOn ? 'powered on' : 'left powered off';
	const finish = policy.finish === 'migrate' ? 'migrated by itself' : 'migrated when told';
	return `${power}, ${finish}, switched ${policy.switch === 'auto' ? 'by itself' : 'when told'}`;
}
