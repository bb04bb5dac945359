import { getVms } from '../cmdlets/vm.ts';
import type { HostParts } from '../parts.ts';
import type { Vm } from '../state.ts';
import { DriverRefusal } from './failure.ts';

export function setupMark(setupId: string): string {
	return `rouse-setup: ${setupId}`;
}

/** Of a rule of the firewall, of a machine that is not whole, and the comment of a key. */
export function setupName(setupId: string): string {
	return `rouse-setup-${setupId}`;
}

export function isMarked(notes: string, setupId: string): boolean {
	return notes.split(/\r?\n/).includes(setupMark(setupId));
}

export function isApplianceOf({ notes, name }: Pick<Vm, 'notes' | 'name'>, setupId: string): boolean {
	return isMarked(notes, setupId) || name === setupName(setupId);
}

export async function findAppliance(host: HostParts, setupId: string): Promise<Vm | undefined> {
	return (await getVms(host)).find(vm => isApplianceOf(vm, setupId));
}

export async function mustFindAppliance(host: HostParts, setupId: string): Promise<Vm> {
	const vm = await findAppliance(host, setupId);
	if (vm) return vm;
	throw new DriverRefusal('machine_unknown', `no machine carries ${setupMark(setupId)} in its notes`);
}
