import type { Platform } from '../contract.ts';
import { chooseHardware } from './choose-hardware.ts';
import { parseHardware } from './hardware.ts';
import { HypervMachine } from './machine.ts';
import type { HostSettings } from './parts.ts';
import { reportOf, resourcesOf } from './report.ts';
import { checkVolumeRoom } from './volume.ts';

/** A question to PowerShell, which takes it a second of a processor. */
const resourcesEveryMs = 30_000;

/** By default disks are where Linux shows them, overlays are children, and a session that has to be begun first may take its time. */
export type HypervOptions = Omit<HostSettings, 'roots' | 'lookMs' | 'overlay'> &
	Partial<Pick<HostSettings, 'roots' | 'lookMs' | 'overlay'>>;

/** Hyper-V, driven from a machine on it, where all volumes lie under `home`. Nothing is asked before the first call. */
export function createHypervPlatform({ home, ...options }: HypervOptions & { home: string }): Platform {
	const settings = hostSettings(options);
	return {
		kind: 'hyperv',
		report: () => reportOf(settings),
		resources: { everyMs: resourcesEveryMs, look: () => resourcesOf(settings) },
		bootId: async () => (await settings.driver.ask('hello', {})).bootId,
		chooseHardware: async (request, { signal } = {}) => {
			const { datastore, driver } = settings;
			const hardware = chooseHardware(
				request,
				await driver.ask('report', { datastore }, { signal }),
				await settings.overlay({ signal }),
			);
			const sizesBytes = request.diskSizesBytes;
			if (sizesBytes) await checkVolumeRoom(home, { sizesBytes, hardware: parseHardware(hardware.data) });
			return hardware;
		},
		machine: (definition, gate) => new HypervMachine(definition, gate, settings),
	};
}

export function hostSettings(options: HypervOptions): HostSettings {
	return {
		roots: { sys: '/sys', dev: '/dev' },
		lookMs: 15_000,
		overlay: async () => ({ overlay: 'child' }),
		...options,
	};
}
