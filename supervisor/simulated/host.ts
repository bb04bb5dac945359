import { type MannerName, SimulatedHost, type SimulatedHostOptions } from '../../hypervisors/simulated/host.ts';
import type { Installation } from '../../system/installation.ts';
import type { HostParts } from '../recovery/host-parts.ts';
import { SimulatedMovers, type SimulatedMoversOptions } from './movers.ts';

export interface SimulatedParts extends Pick<HostParts, 'platform' | 'movers'> {
	host: SimulatedHost;
	movers: SimulatedMovers;
}

/** A host that runs no machine and no process, for development and tests: all of it but the files ends with this process. */
export function createSimulatedHost(
	{ home }: Pick<Installation, 'home'>,
	options: Partial<SimulatedHostOptions> & { like?: MannerName } = {},
	moversOptions: SimulatedMoversOptions = {},
): SimulatedParts {
	const movers = new SimulatedMovers(moversOptions);
	const host = new SimulatedHost({ like: 'process', directory: home, readBase: movers.readBase, ...options });
	return { platform: host.platform, movers, host };
}
