import { getVms } from '../cmdlets/vm.ts';
import type { HostParts } from '../parts.ts';
import type { Vm } from '../state.ts';
import { DriverRefusal } from './failure.ts';

/** The machine in whose notes the recovery's id stands. */
export async function findMachine(host: HostParts, recoveryId: string): Promise<Vm | undefined> {
	const [vm, second] = await getVms(host, recoveryId);
	if (second) throw new DriverRefusal('identity_conflict', `two machines have the mark ${recoveryId} in their notes`);
	return vm;
}

export async function mustFindMachine(host: HostParts, recoveryId: string): Promise<Vm> {
	const vm = await findMachine(host, recoveryId);
	if (vm) return vm;
	throw new DriverRefusal('machine_unknown', `no machine has the mark ${recoveryId} in its notes`);
}
