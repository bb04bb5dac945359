import { mkdir } from 'node:fs/promises';
import { type Config, type Installation, places } from '../system/installation.ts';
import type { Log } from '../system/log.ts';
import { keepLogsBounded, keepService } from './keep.ts';
import { keepsControlWorker } from './control-worker.ts';
import { embeddedServices } from './embedded-services.ts';
import { endEmbedded, endServices, prepareTemporal } from './embedded-temporal.ts';
import { endOtherwiseServed, servedBy } from './served-services.ts';

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
	const isElsewhere = config.temporal.address !== undefined;
	if (isElsewhere) await endEmbedded(home);
	const embedded = isElsewhere ? undefined : await prepareTemporal(installation, config, log);
	const served = servedBy(installation, config);
	await endOtherwiseServed(home, served, log);
	const control = keepsControlWorker(config);
	if (!control) await endServices(home, ['control-worker']);
	const services = embeddedServices(installation, embedded, { served, control });
	const kept = services.map(service => keepService(service, home, { signal, log }));
	const over = new AbortController();
	const logs = keepLogsBounded(home, { signal: AbortSignal.any([signal, over.signal]), log });
	await Promise.all(kept);
	over.abort();
	await logs;
}
