import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { changeConfig } from '../../../system/change-config.ts';
import { freePort } from '../../../system/free-port.ts';
import { type Installation, openInstallation, places } from '../../../system/installation.ts';
import { cleanUp } from '../clean-up.ts';
import { OwnCommand } from '../own-command.ts';
import { checkName, hostNames, simulatedPlaces } from './site.ts';

/** Of this machine alone: the other host is another home on it. */
const address = '127.0.0.2';
const anything = z.looseObject({});

export interface DemoHosts {
	/** Of the installation: control, and the host with QEMU. */
	installation: Installation;
	rouse: OwnCommand;
	simulated: Installation;
}

/** The installation, still down: its config names itself, its repository, and where another host finds both. */
export async function makeHome(directory: string, signal: AbortSignal): Promise<Omit<DemoHosts, 'simulated'>> {
	const home = join(directory, 'home');
	const rouse = new OwnCommand({ ...process.env, ROUSE_HOME: home, ROUSE_REPO: undefined }, signal);
	await rouse.run(anything, 'repo', 'init', join(directory, 'repository'), '--name', 'main');
	const [temporal, main] = [await freePort(address), await freePort(address)];
	await changeConfig({ home }, document => {
		// It is to show its story on whatever disk is there.
		document.setIn(['host'], { name: hostNames.real, latency: 'off' });
		document.setIn(['serve'], { address, temporal, repositories: { main } });
	});
	const installation = await openInstallation(home);
	await writeCheck(installation);
	return { installation, rouse };
}

/** What `ready: {command: …}` of the site's file runs. */
export async function writeCheck({ home, runDirectory }: Installation): Promise<void> {
	const program = fileURLToPath(new URL('./console-answers.ts', import.meta.url));
	// A check has no environment by which it would find the socket itself.
	const socket = places.supervisorSocket(runDirectory);
	const words = [process.execPath, program, socket].map(word => `'${word.replaceAll("'", `'\\''`)}'`);
	const directory = places.checks(home);
	await mkdir(directory, { recursive: true, mode: 0o700 });
	const path = join(directory, checkName);
	await writeFile(path, `#!/bin/sh\nexec ${words.join(' ')}\n`);
	await chmod(path, 0o700);
}

/** Another home becomes a host of the installation, as another machine would. */
export async function joinSimulated(directory: string, rouse: OwnCommand, signal: AbortSignal): Promise<Installation> {
	const invitation = join(directory, `${hostNames.simulated}.invitation`);
	await rouse.run(anything, 'host', 'invite', hostNames.simulated, '--to', invitation);
	const home = join(directory, hostNames.simulated);
	const there = new OwnCommand({ ...process.env, ROUSE_HOME: home, ROUSE_REPO: undefined }, signal);
	await there.run(anything, 'host', 'join', invitation);
	await rm(invitation);
	await changeConfig({ home }, document => {
		document.setIn(['host', 'kind'], 'simulated');
		document.setIn(['host', 'recoveries'], simulatedPlaces);
	});
	const installation = await openInstallation(home);
	try {
		await there.run(anything, 'up', '--detach');
	} catch (error) {
		await cleanUp(installation);
		throw error;
	}
	return installation;
}
