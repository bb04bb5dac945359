import type { AnswerOf, RequestOf } from '../../driver/requests.ts';
import type { HostParts } from '../parts.ts';

export async function hello({ settings, bootId, faults }: HostParts): Promise<AnswerOf<'hello'>> {
	const { computerName } = settings;
	const windows = `10.0.20348.${faults.conditions.updateRevision} (simulated)`;
	return { powerShell: '5.1.20348.1', windows, computerName, bootId, elevated: true };
}

export async function report({ settings, faults, running, state }: HostParts): Promise<AnswerOf<'report'>> {
	const { freeBytes, memoryMiB } = faults.conditions;
	const takenMiB = [...running.values()].reduce((sum, vm) => sum + vm.memoryMiB, 0);
	return {
		freeBytes,
		memoryTotalMiB: memoryMiB,
		memoryFreeMiB: Math.max(0, memoryMiB - takenMiB),
		processors: settings.processors,
		switches: [...settings.switches, ...state.switches.map(({ name }) => ({ name, type: 'Internal' as const }))],
		initiatorName: `iqn.1991-05.com.microsoft:${settings.computerName.toLowerCase()}`,
		hyperV: '10.0.20348.0 (simulated)',
	};
}

/** It has every cmdlet: whether a real host does is a real host's to say. */
export async function checkCmdlets(
	_host: HostParts,
	_request: RequestOf<'check-cmdlets'>,
): Promise<AnswerOf<'check-cmdlets'>> {
	return { missing: [] };
}
