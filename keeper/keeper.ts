import { mkdir } from 'node:fs/promises';
import { RouseError } from '../model/errors.ts';
import { type Config, type Installation, places } from '../system/installation.ts';
import type { Log } from '../system/log.ts';
import { endHolder } from '../system/spawn-locked.ts';
import { publishTemporalTarget } from '../system/temporal-target.ts';
import { devServerAddress, devServerArguments } from '../workers/temporal-server.ts';
import { keepLogsBounded, keepService } from './keep.ts';
import { choosePorts, readPorts } from './ports.ts';
import { embeddedServices, serviceFiles, serviceHolder } from './services.ts';
import { findTemporal } from './temporal-cli.ts';

/**
 * Keeps the services of an installation until `signal` is aborted, then leaves them as they are: `rouse down` ends them.
 * When the installation was removed it ends them, and returns.
 */
export async function keepInstallation(
	installation: Installation,
	config: Config,
	{ signal, log }: { signal: AbortSignal; log: Log },
): Promise<void> {
	const { home } = installation;
	await mkdir(places.services(home), { recursive: true });
	const temporal = config.temporal ? undefined : await embeddedTemporal(installation, config);
	const services = embeddedServices(installation, config, temporal);
	const kept = services.map(service => keepService(service, home, { signal, log }));
	const over = new AbortController();
	const logs = keepLogsBounded(home, { signal: AbortSignal.any([signal, over.signal]), log });
	await Promise.all(kept);
	over.abort();
	await logs;
}

async function embeddedTemporal(
	installation: Installation,
	config: Config,
): Promise<{ path: string; args: readonly string[] }> {
	const { home } = installation;
	const found = await findTemporal(installation.cacheDirectory);
	if (!found) throw new RouseError('tool_missing', 'there is no Temporal CLI', { hint: 'rouse setup gets it' });
	const before = await readPorts(home);
	const runs = (await serviceHolder(home, 'temporal')) !== undefined;
	const ports = runs && before ? before : await choosePorts(home, config.ports);
	if (before && before.temporal !== ports.temporal) await endWorkers(home);
	// Of its own: should another installation's server ever get this one's port, nobody takes its recoveries for ours.
	const namespace = `rouse-${installation.id.slice(0, 8)}`;
	await publishTemporalTarget(installation, { address: `${devServerAddress}:${ports.temporal}`, namespace });
	return { path: found.path, args: devServerArguments({ home, port: ports.temporal, uiPort: ports.ui, namespace }) };
}

/** A worker reads the address when it starts: those that know an old one would look there for ever. */
async function endWorkers(home: string): Promise<void> {
	for (const name of ['control-worker', 'host-worker'] as const)
		await endHolder(serviceFiles(home, name).lockPath, { politeMs: 12_000 });
}
