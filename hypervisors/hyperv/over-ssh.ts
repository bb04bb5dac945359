import { resolve } from 'node:path';
import type { HypervHost } from '../../system/hyperv-host.ts';
import type { Platform } from '../contract.ts';
import type { Driver } from './driver/driver.ts';
import { connectPipes } from './driver/pipes.ts';
import { connectDriver } from './driver/sessions.ts';
import type { SshDestination } from '../../system/ssh-destination.ts';
import { overlayOfHost } from './overlay-of-host.ts';
import { createHypervPlatform, type HypervOptions } from './platform.ts';

/** The platform of the Windows host that is configured. `home`: where files are that have no absolute path. */
export function hypervOver(host: HypervHost, home: string): Platform {
	return createHypervPlatform({ ...settingsOver(host, home), home });
}

/** What machines of that host share. */
export function settingsOver(host: HypervHost, home: string): HypervOptions {
	const { datastore, appliance, address, kernel } = host;
	const destination = destinationOf(host, home);
	const driver = lazyDriver(() => connectDriver(destination));
	return {
		driver,
		pipes: { open: async (pipe, options) => (await connectPipes(destination)).open(pipe, options) },
		datastore,
		appliance,
		address,
		overlay: options => overlayOfHost(host, home, driver, options),
		...(kernel ? { roots: kernel } : {}),
	};
}

export function destinationOf({ ssh, port, identityFile, knownHostsFile }: HypervHost, home: string): SshDestination {
	const at = ssh.lastIndexOf('@');
	return {
		user: ssh.slice(0, at),
		host: ssh.slice(at + 1),
		port,
		identityPath: resolve(home, identityFile),
		knownHostsPath: resolve(home, knownHostsFile),
	};
}

/** Connected at the first request, and again after one that could not. */
function lazyDriver(connect: () => Promise<Driver>): Driver {
	let driver: Promise<Driver> | undefined;
	return {
		ask: async (name, request, options) => {
			driver ??= connect().catch(error => {
				driver = undefined;
				throw error;
			});
			return (await driver).ask(name, request, options);
		},
	};
}
