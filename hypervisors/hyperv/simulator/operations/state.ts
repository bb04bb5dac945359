import type { VmState } from '../../driver/requests.ts';
import { stateOf } from '../cmdlets/vm.ts';
import type { HostParts } from '../parts.ts';
import type { Vm } from '../state.ts';
import { DriverRefusal } from './failure.ts';

export function mustBe(host: HostParts, vm: Vm, allowed: readonly VmState[]): void {
	const state = stateOf(host, vm);
	if (!allowed.includes(state))
		throw new DriverRefusal('state_wrong', `${vm.name} is ${state}, not ${allowed.join(' or ')}`);
}
