import type { MachineDefinition } from '../contract.ts';
import type { QemuHost } from './host.ts';
import type { MachineMonitor } from './monitor.ts';
import type { MachineUsers } from './own-user.ts';
import type { MachinePaths } from './paths.ts';

/** As whom the machine runs: its own user, or the one that Rouse is. */
export async function userOf({ definition, paths, users }: MachineParts): Promise<number> {
	return (await users.of(definition, paths)) ?? process.getuid?.() ?? 0;
}

/** One machine on QEMU: what it is, where it lies, and the ways to it. */
export interface MachineParts {
	definition: MachineDefinition;
	paths: MachinePaths;
	/** What this host can do; looked at when it is first asked for. */
	host: () => Promise<QemuHost>;
	users: MachineUsers;
	monitor: MachineMonitor;
}
