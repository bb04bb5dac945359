import type { Power } from '../../model/recovery.ts';
import type { MachineObservation } from '../contract.ts';
import type { MachineParts } from './parts.ts';
import type { MachineRecord } from './record.ts';
import type { RunState } from './run-state.ts';

const offAndSilent: MachineObservation = { power: 'off', byGuest: false, ioError: undefined, crash: undefined };

export function observationOf(
	parts: MachineParts,
	record: MachineRecord | undefined,
	run: RunState | undefined,
): MachineObservation {
	if (run === undefined) return offAndSilent;
	const reason = run.crash ?? 'unknown';
	return {
		power: powerOf[run.guest],
		byGuest: run.guest === 'off',
		ioError: run.ioError ?? undefined,
		crash: run.guest === 'crashed' ? { reason, fallBack: offeredFallBack(parts, record, run) } : undefined,
	};
}

const powerOf: Readonly<Record<RunState['guest'], Power>> = {
	running: 'on',
	paused: 'paused',
	'io-error': 'paused',
	crashed: 'crashed',
	off: 'off',
};

function offeredFallBack(
	{ settings, stacks }: MachineParts,
	record: MachineRecord | undefined,
	{ disks }: RunState,
): string | undefined {
	if (record === undefined || record.fellBack || disks.some(({ alone }) => alone)) return undefined;
	return stacks.some(({ written }) => written) ? undefined : settings.fallBack;
}
