import type { MachineDefinition, MoverGate, SwitchCalls } from '../contract.ts';
import type { MachinePaths } from './paths.ts';
import type { Qmp } from '../../qmp/client.ts';

/** What the switch with QEMU alive works on. */
export interface OnlineSwitch {
	definition: MachineDefinition;
	paths: MachinePaths;
	qmp: Qmp;
	gate: MoverGate;
	calls: SwitchCalls;
}
