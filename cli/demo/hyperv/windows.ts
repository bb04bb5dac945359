import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { RouseError } from '../../../model/errors.ts';
import { checkoutDirectory } from '../../../system/checkout.ts';
import type { HypervHost } from '../../../system/hyperv-host.ts';
import { waitFor } from '../../../system/wait.ts';

export interface SimulatedWindows {
	/** As config.yaml has it. */
	host: HypervHost;
	controlSocket: string;
	/** Where it keeps what lies on its drives. */
	directory: string;
	end(): Promise<void>;
}

/** A simulated Windows host in a process of its own, reached over SSH, as `host.kind: hyperv` reaches a real one. */
export async function startWindows(directory: string, signal: AbortSignal): Promise<SimulatedWindows> {
	await mkdir(directory);
	const at = (name: string) => join(directory, name);
	const port = await freePort();
	const appliance = randomUUID();
	const config = {
		directory: at('windows'),
		driverSocket: at('driver.sock'),
		consoleSocket: at('console.sock'),
		controlSocket: at('control.sock'),
		applianceId: appliance,
		applianceDirectory: at('appliance'),
		ssh: { directory: at('ssh'), port },
	};
	await writeFile(at('simulator.json'), JSON.stringify(config));
	const child = await startProcess(at('simulator.json'), signal);
	return {
		host: {
			ssh: `${userInfo().username}@127.0.0.1`,
			port,
			identityFile: join(config.ssh.directory, 'client-key'),
			knownHostsFile: join(config.ssh.directory, 'known-hosts'),
			datastore: 'D:\\Rouse',
			appliance,
			address: '127.0.0.1',
			kernel: { sys: join(config.applianceDirectory, 'sys'), dev: join(config.applianceDirectory, 'dev') },
		},
		controlSocket: config.controlSocket,
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

async function freePort(): Promise<number> {
	const server = createServer();
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	const address = server.address();
	server.close();
	if (typeof address === 'object' && address) return address.port;
	throw new RouseError('internal', 'a port was listened on and has no number');
}
