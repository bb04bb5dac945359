import { join } from 'node:path';
import { checkoutDirectory } from '../system/checkout.ts';
import type { Installation } from '../system/installation.ts';
import type { Program } from './door/isolation.ts';
import { type EmbeddedTemporal, temporalServices } from './embedded-temporal.ts';
import { type Service, type ServiceName, serviceEnvironment } from './services.ts';

/** What runs on a machine with everything; without an `embedded` server the configuration names one elsewhere. */
export function embeddedServices(installation: Installation, embedded: EmbeddedTemporal | undefined): Service[] {
	const env = serviceEnvironment(installation);
	const node = (path: string, ...args: string[]): Program => ({
		command: process.execPath,
		args: [join(checkoutDirectory, path), ...args],
	});
	const always = (name: ServiceName, program: Program): Service => ({ name, program: async () => program, env });
	return [
		always('supervisor', node('supervisor/main.ts')),
		...(embedded ? temporalServices(installation, embedded, { env, node }) : []),
		always('control-worker', node('workers/main.ts', '--roles', 'control')),
		always('host-worker', node('workers/main.ts', '--roles', 'host')),
	];
}
