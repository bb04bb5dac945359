import { hypervOver } from '../hypervisors/hyperv/over-ssh.ts';
import { createQemuPlatform } from '../hypervisors/qemu/platform.ts';
import { type Config, type Installation, loadConfig } from '../system/installation.ts';
import { createSimulatedHost } from './simulated/host.ts';
import { MoverProcesses } from './movers/processes.ts';
import type { HostParts } from './recovery/host-parts.ts';

/** What runs the machines of a host, and what moves their data: `host.kind` of config.yaml. */
export function createPlatform(installation: Installation, { host }: Config): Pick<HostParts, 'platform' | 'movers'> {
	if (host.kind === 'simulated') return createSimulatedHost(installation);
	const movers = new MoverProcesses(installation);
	if (host.hyperv) return { platform: hypervOver(host.hyperv, installation.home), movers };
	return {
		platform: createQemuPlatform({
			cacheDirectory: installation.cacheDirectory,
			datastore: installation.home,
			machineUids: async () => (await loadConfig(installation)).host.machineUids,
			defaults: async () => ({ accelerator: (await loadConfig(installation)).host.accelerator }),
		}),
		movers,
	};
}
