import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { RouseError } from '../../../model/errors.ts';
import { checkoutDirectory } from '../../../system/checkout.ts';
import type { HypervHost } from '../../../system/hyperv-host.ts';
import { waitFor } from '../../../system/wait.ts';
import { freePort } from '../../../system/free-port.ts';

export interface SimulatedWindows {
	/** As config.yaml has it. */
	host: HypervHost;
	controlSocket: string;
	/** Its driver's side, as if a session were open. */
	driverSocket: string;
	/** Where it keeps what lies on its drives. */
	directory: string;
	end(): Promise<void>;
}

export interface WindowsOptions {
	signal: AbortSignal;
	/** Of it and of its appliance; loopback for both by default. */
	addresses?: { windows: string; appliance: string };
	/** By default the appliance is this machine, and its disks are below `appliance` in the directory. */
	appliance?: { qmpSocket: string; consolePath: string };
}

/** A simulated Windows host in a process of its own, reached over SSH, as `host.kind: hyperv` reaches a real one. */
export async function startWindows(
	directory: string,
	{ signal, addresses = { windows: '127.0.0.1', appliance: '127.0.0.1' }, appliance: inQemu }: WindowsOptions,
): Promise<SimulatedWindows> {
	await mkdir(directory);
	const at = (name: string) => join(directory, name);
	const port = await freePort(addresses.windows);
	const kernel = { sys: at('appliance/sys'), dev: at('appliance/dev') };
	const appliance = randomUUID();
	const config = {
		directory: at('windows'),
		driverSocket: at('driver.sock'),
		consoleSocket: at('console.sock'),
		controlSocket: at('control.sock'),
		applianceId: appliance,
		appliance: inQemu ?? { directory: at('appliance') },
		ssh: { directory: at('ssh'), address: addresses.windows, port },
	};
	await writeFile(at('simulator.json'), JSON.stringify(config));
	const child = await startProcess(at('simulator.json'), signal);
	return {
		host: {
			ssh: `${userInfo().username}@${addresses.windows}`,
			port,
			identityFile: join(config.ssh.directory, 'client-key'),
			knownHostsFile: join(config.ssh.directory, 'known-hosts'),
			datastore: 'D:\\Rouse',
			appliance,
			address: addresses.appliance,
			...(inQemu ? {} : { kernel }),
		},
		controlSocket: config.controlSocket,
		driverSocket: config.driverSocket,
		directory: config.directory,
		end: () => endProcess(child),
	};
}

async function startProcess(configPath: string, signal: AbortSignal): Promise<ChildProcess> {
	const script = join(checkoutDirectory, 'hypervisors', 'hyperv', 'simulator', 'main.ts');
	const child = spawn(process.execPath, [script, configPath], { stdio: ['ignore', 'pipe', 'pipe'] });
	let said = '';
	const hear = (text: string) => (said += text);
	child.stdout.setEncoding('utf8').on('data', hear);
	child.stderr.setEncoding('utf8').on('data', hear);
	try {
		const isUp = () => /^ready$/m.test(said) || child.exitCode !== null;
		await waitFor('the simulated Windows host to boot', isUp, { timeoutMs: 60_000, signal });
		if (child.exitCode === null) return child;
		throw new RouseError('machine_failed', `the simulated Windows host cannot be started: ${said.trim()}`);
	} catch (error) {
		await endProcess(child);
		throw error;
	}
}

/** Orderly, so that nothing of it stays mounted. */
async function endProcess(child: ChildProcess): Promise<void> {
	if (child.exitCode !== null || child.signalCode !== null) return;
	const ended = once(child, 'exit');
	child.kill('SIGTERM');
	await ended;
}
