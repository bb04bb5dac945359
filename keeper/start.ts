import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { checkoutDirectory } from '../system/checkout.ts';
import { whileLocked } from '../system/held-lock.ts';
import { type Installation, places } from '../system/installation.ts';
import { spawnLocked } from '../system/spawn-locked.ts';
import { serviceEnvironment, serviceFiles } from './services.ts';
import { forgetTakenDown, wereTakenDown } from './taken-down.ts';

/** Starts the keeper of an installation unless it runs. Not while `rouse down` is at work on the same one. */
export async function startKeeper(installation: Installation, signal: AbortSignal): Promise<{ started: boolean }> {
	return whileUpOrDown(installation.home, () => spawnKeeper(installation), signal);
}

/** When it has ended. False when `rouse down` has ended it, and all services: then nothing is started. */
export async function startKeeperAgain(installation: Installation, signal: AbortSignal): Promise<boolean> {
	const start = async () => {
		if (await wereTakenDown(installation.home)) return false;
		await spawnKeeper(installation);
		return true;
	};
	return whileUpOrDown(installation.home, start, signal);
}

async function spawnKeeper(installation: Installation): Promise<{ started: boolean }> {
	const { home } = installation;
	await forgetTakenDown(home);
	return await spawnLocked({
		...serviceFiles(home, 'keeper'),
		command: process.execPath,
		args: [join(checkoutDirectory, 'keeper', 'main.ts'), home],
		env: serviceEnvironment(installation),
	});
}

export async function whileUpOrDown<T>(home: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
	await mkdir(places.services(home), { recursive: true });
	return whileLocked(join(places.services(home), 'up-down.lock'), work, signal);
}
