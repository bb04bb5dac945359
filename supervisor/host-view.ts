import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { loadConfig, makeIdentity, places } from '../system/installation.ts';
import type { HostParts } from './host-parts.ts';
import type { HostView } from './protocol.ts';
import type { Registry } from './registry.ts';

export async function hostView(
	{ installation, hypervisor }: HostParts,
	{ damaged }: Pick<Registry, 'damaged'>,
): Promise<HostView> {
	const { home } = installation;
	const [report, space, { host }] = await Promise.all([
		hypervisor.report(),
		statfs(join(places.recoveries(home))),
		loadConfig(installation),
	]);
	return {
		hostId: await makeIdentity(places.hostIdentity(home)),
		name: host.name,
		pid: process.pid,
		hypervisor: report.version === undefined ? report.name : `${report.name} ${report.version}`,
		accelerator: report.accelerator,
		firmwares: [...report.firmwares],
		freeBytes: space.bavail * space.bsize,
		warnings: [...report.warnings, ...[...damaged].map(([name, error]) => `${name} is left alone: ${error.message}`)],
		unusable: report.unusable ?? null,
	};
}
