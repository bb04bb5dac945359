import { getVms } from '../cmdlets/vm.ts';
import type { HostParts } from '../parts.ts';
import type { Vm } from '../state.ts';
import { DriverRefusal } from './failure.ts';

export function markOf(recoveryId: string): string {
	return `rouse-recovery: ${recoveryId}`;
}

/** Until its notes are written it goes by a name that nobody else gives. */
export function unfinishedName(recoveryId: string): string {
	return `rouse-${recoveryId}`;
}

export function checkpointName(recoveryId: string): string {
	return `rouse-${recoveryId}`;
}

export function checkpointWarning(recoveryId: string): string {
	return `Do not apply or delete the checkpoint ${checkpointName(recoveryId)}`;
}

/** Ours, whose maker died before it had its name: the only one, with the name that Windows gives, and it was about to be made. */
export function unnamedCheckpoint(
	{ name, notes }: Pick<Vm, 'notes' | 'name'>,
	checkpoints: readonly string[],
	recoveryId: string,
): string | undefined {
	const [only, other] = checkpoints;
	if (other !== undefined || !notes.split(/\r?\n/).includes(checkpointWarning(recoveryId))) return undefined;
	const isUnnamed =
		only === '' || (only?.endsWith(')') && [' - (', ' ('].some(between => only.startsWith(name + between)));
	return isUnnamed ? only : undefined;
}

export function isMachineOf({ notes, name }: Pick<Vm, 'notes' | 'name'>, recoveryId: string): boolean {
	return notes.split(/\r?\n/).includes(markOf(recoveryId)) || name === unfinishedName(recoveryId);
}

export async function findMachine(host: HostParts, recoveryId: string): Promise<Vm | undefined> {
	const [vm, second] = (await getVms(host)).filter(one => isMachineOf(one, recoveryId));
	if (second) throw new DriverRefusal('identity_conflict', `two machines carry ${markOf(recoveryId)} in their notes`);
	return vm;
}

export async function mustFindMachine(host: HostParts, recoveryId: string): Promise<Vm> {
	const vm = await findMachine(host, recoveryId);
	if (vm) return vm;
	throw new DriverRefusal('machine_unknown', `no machine carries ${markOf(recoveryId)} in its notes`);
}
