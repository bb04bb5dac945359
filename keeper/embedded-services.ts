import { join } from 'node:path';
import { checkoutDirectory } from '../system/checkout.ts';
import type { Installation } from '../system/installation.ts';
import type { Program } from '../system/spawn-locked.ts';
import { withoutPowers } from '../system/without-powers.ts';
import { type EmbeddedTemporal, temporalServices } from './embedded-temporal.ts';
import { type Served, servedServices } from './served-services.ts';
import { type Service, type ServiceName, serviceEnvironment } from './services.ts';

/** What QEMU keeps for an import becomes its user's: sources/qemu/scratch.ts, capabilities(7). */
const givesFilesAway = ['chown'];

/**
 * What runs on a machine with everything; without an `embedded` server the configuration names one elsewhere, and without
 * `control` a control worker runs there.
 */
export function embeddedServices(
	installation: Installation,
	embedded: EmbeddedTemporal | undefined,
	{ served, control }: { served: readonly Served[]; control: boolean },
): Service[] {
	const env = serviceEnvironment(installation);
	const node = (path: string, ...args: string[]): Program => ({
		command: process.execPath,
		args: [join(checkoutDirectory, path), ...args],
	});
	const worker = (name: ServiceName, roles: string, more: readonly string[] = []): Service => {
		const program = node('workers/main.ts', '--roles', roles);
		return { name, program: () => withoutPowers(program, { more }), env };
	};
	return [
		{ name: 'supervisor', program: async () => node('supervisor/main.ts'), env },
		...(embedded ? temporalServices(installation, embedded, { env, node }) : []),
		...(control ? [worker('control-worker', 'control', givesFilesAway)] : []),
		worker('host-worker', 'host'),
		...servedServices(served, { env, node }),
	];
}
