import { loadConfig, makeIdentity, places } from '../../system/installation.ts';
import type { Pace } from '../pace/pace.ts';
import type { HostParts } from '../recovery/host-parts.ts';
import { type HostView, protocolVersion } from '../protocol.ts';
import type { Registry } from '../recovery/registry.ts';

export async function hostView(
	{ installation, platform }: HostParts,
	{ registry: { damaged }, pace }: { registry: Pick<Registry, 'damaged'>; pace: Pick<Pace, 'datastore'> },
): Promise<HostView> {
	const { home } = installation;
	const [report, { host }] = await Promise.all([platform.report(), loadConfig(installation)]);
	return {
		hostId: await makeIdentity(places.hostIdentity(home)),
		name: host.name,
		pid: process.pid,
		protocol: protocolVersion,
		platform: platform.kind,
		hypervisor: report.version === undefined ? report.name : `${report.name} ${report.version}`,
		accelerator: report.accelerator,
		firmwares: [...report.firmwares],
		networks: [...report.networks],
		...(report.networksMissing === undefined ? {} : { networksMissing: report.networksMissing }),
		...(report.networksInstead === undefined ? {} : { networksInstead: { ...report.networksInstead } }),
		freeBytes: report.freeBytes,
		datastore: pace.datastore,
		memory: report.memory,
		warnings: [...report.warnings, ...[...damaged].map(([name, error]) => `${name} is left alone: ${error.message}`)],
		unusable: report.unusable ?? null,
	};
}
