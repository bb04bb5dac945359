import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { checkoutDirectory } from '../system/checkout.ts';
import { whileLocked } from '../system/held-lock.ts';
import { type Installation, places } from '../system/installation.ts';
import { spawnLocked } from '../system/spawn-locked.ts';
import { serviceEnvironment, serviceFiles } from './services.ts';

/** Starts the keeper of an installation unless it runs. Not while `rouse down` is at work on the same one. */
export async function startKeeper(installation: Installation, signal: AbortSignal): Promise<{ started: boolean }> {
	await mkdir(places.services(installation.home), { recursive: true });
	return whileUpOrDown(
		installation.home,
		() =>
			spawnLocked({
				...serviceFiles(installation.home, 'keeper'),
				command: process.execPath,
				args: [join(checkoutDirectory, 'keeper', 'main.ts'), installation.home],
				env: serviceEnvironment(installation),
			}),
		signal,
	);
}

export async function whileUpOrDown<T>(home: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
	await mkdir(places.services(home), { recursive: true });
	return whileLocked(join(places.services(home), 'up-down.lock'), work, signal);
}
