import type { Platform } from '../contract.ts';
import { chooseHardware } from './choose-hardware.ts';
import { HypervMachine } from './machine.ts';
import type { HostSettings } from './parts.ts';
import { reportOf } from './report.ts';

export interface HypervOptions extends Omit<HostSettings, 'roots'> {
	/** Where this machine's kernel shows its disks; by default where Linux does. */
	roots?: HostSettings['roots'];
}

/** Hyper-V, driven from a machine on it. Nothing is asked before the first call. */
export function createHypervPlatform({ roots = { sys: '/sys', dev: '/dev' }, ...options }: HypervOptions): Platform {
	const settings: HostSettings = { ...options, roots };
	return {
		kind: 'hyperv',
		report: () => reportOf(settings),
		bootId: async () => (await settings.driver.ask('hello', {})).bootId,
		chooseHardware: async (request, { signal } = {}) =>
			chooseHardware(request, await settings.driver.ask('report', { datastore: settings.datastore }, { signal })),
		machine: (definition, gate) => new HypervMachine(definition, gate, settings),
	};
}
