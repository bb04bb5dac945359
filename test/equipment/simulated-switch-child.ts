/**
 * `node simulated-switch-child.ts ORDER.json`: a supervisor's process, as far as a switch needs one. It switches the
 * machine and kills itself at the place that the order names; without one it ends when all is done.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import type { MachineDefinition, SwitchCalls } from '../../hypervisors/contract.ts';
import { type MannerName, SimulatedHost } from '../../hypervisors/simulated/host.ts';
import { RouseError } from '../../model/errors.ts';
import type { Chain } from '../../model/recovery.ts';

export interface SwitchOrder {
	like: MannerName;
	hostDirectory: string;
	definition: MachineDefinition;
	/** Where the marks are kept. */
	marks: string;
	killAt: string;
}

interface Marks {
	chain: Chain;
	resume?: boolean;
}

/** The supervisor's side of a switch, kept in a file. */
export function switchOnFile(path: string, reached: (place: string) => void): SwitchCalls {
	const marks = (): Marks => JSON.parse(readFileSync(path, 'utf8')) as Marks;
	const change = (changed: Partial<Marks>) => writeFileSync(path, JSON.stringify({ ...marks(), ...changed }));
	return {
		get chain() {
			return marks().chain;
		},
		get resume() {
			return marks().resume;
		},
		mark: async chain => {
			change({ chain });
			reached(`mark.${chain}`);
		},
		rememberResume: async resume => change({ resume }),
		stopMountMover: async () => undefined,
		reached: async place => reached(place),
	};
}

if (import.meta.main) {
	const order = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as SwitchOrder;
	const host = new SimulatedHost({
		like: order.like,
		directory: order.hostDirectory,
		readBase: async () => {
			throw new RouseError('mover_unreachable', 'a switch reads nothing of the mover');
		},
	});
	const openGate = {
		clear: async () => undefined,
		pass: <T>(work: () => Promise<T>) => work(),
		free: async () => false,
		reopen: async () => undefined,
	};
	const machine = host.platform.machine(order.definition, openGate);
	await machine.switchToTarget(
		switchOnFile(order.marks, place => {
			if (place === order.killAt) process.kill(process.pid, 'SIGKILL');
		}),
	);
}
