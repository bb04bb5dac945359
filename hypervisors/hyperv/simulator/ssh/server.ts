/**
 * An OpenSSH server of this simulation's own, with keys of its own: what Rouse says to a Windows host goes the
 * whole way of a real one, up to the program that stands for powershell.exe (powershell.ts).
 */
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RouseError } from '../../../../model/errors.ts';
import { exists } from '../../../../system/if-there.ts';
import { runTool } from '../../../../system/run-tool.ts';
import { endHolder, spawnLocked } from '../../../../system/spawn-locked.ts';
import { waitFor } from '../../../../system/wait.ts';
import type { SshDestination } from '../../../../system/ssh-destination.ts';
import { administratorsKeys } from '../windows-paths.ts';
import { sshdConfiguration } from './configuration.ts';
import { freePort } from '../../../../system/free-port.ts';

export interface SshServerOptions {
	/** Its keys, configuration, lock and log; made when it is not there. */
	directory: string;
	/** Unix socket to which each session of the driver is a connection: requests and answers, a line each. */
	driverSocket: string;
	/** The same for consoles: a line of request, a line of answer, and then bytes. */
	consoleSocket: string;
	/** Of the host's drives: files are sent there by sftp, and the keys of administrators are among them. */
	root: string;
	/** Loopback by default; IPv4. */
	address?: string | undefined;
	/** A free one by default; the one to be reached at again after a stop. */
	port?: number;
}

export interface SshServer {
	/** How Rouse reaches it. */
	destination: SshDestination;
	/** No new session; those that are there go on, as with the service of Windows. */
	stop(): Promise<void>;
}

const hint = 'apt-get install openssh-server openssh-client';

/** A server that runs already in this directory is taken as it is. */
export async function startSshServer(options: SshServerOptions): Promise<SshServer> {
	const { directory, driverSocket, consoleSocket, root, address = '127.0.0.1' } = options;
	await mkdir(directory, { recursive: true, mode: 0o700 });
	const at = (name: string) => join(directory, name);
	const hostKeyPath = await keyAt(at('host-key'));
	const identityPath = await keyAt(at('client-key'));
	const port = options.port ?? (await freePort(address));
	const knownHostsPath = at('known-hosts');
	const configurationPath = at('sshd-config');
	const command = [process.execPath, standIn, driverSocket, consoleSocket, root];
	const authorizedKeysPaths = [`${identityPath}.pub`, administratorsKeys(root)];
	const plan = { address, port, hostKeyPath, pidPath: at('pid'), authorizedKeysPaths, command };
	await writeFile(configurationPath, sshdConfiguration(plan));
	const [type, key] = (await readFile(`${hostKeyPath}.pub`, 'utf8')).split(' ');
	await writeFile(knownHostsPath, `[${address}]:${port} ${type} ${key?.trim()}\n`);
	await makePrivilegeSeparationDirectory();
	// It executes itself again for each session, which takes an absolute path: sshd(8).
	const sshd = ['/usr/sbin/sshd', '-D', '-e', '-f', configurationPath];
	await spawnLocked({
		lockPath: lockIn(directory),
		logPath: at('log'),
		command: 'sh',
		args: ['-c', holder, 'sh', ...sshd],
	});
	await waitFor('sshd to listen', () => listens(address, port), { timeoutMs: 20_000 });
	return {
		destination: { host: address, port, user: userInfo().username, identityPath, knownHostsPath },
		stop: () => stopSshServer(directory),
	};
}

/** Of this directory, whoever started it; there need be none. */
export async function stopSshServer(directory: string): Promise<void> {
	await endHolder(lockIn(directory), { politeMs: 2000 });
}

const lockIn = (directory: string) => join(directory, 'lock');

/** sshd closes what it inherits, the lock too: a shell holds it for as long as sshd runs, which ends with the shell. */
const holder = 'setpriv --pdeathsig TERM -- "$@" & wait';

const standIn = fileURLToPath(new URL('powershell.ts', import.meta.url));

/** One that is there is kept: a host is the same after a restart. */
async function keyAt(path: string): Promise<string> {
	if (await exists(path)) return path;
	const made = await runTool('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'rouse', '-f', path], { hint });
	if (made.code !== 0) throw new RouseError('tool_failed', `ssh-keygen: ${made.tail.join(' ')}`);
	await chmod(path, 0o600);
	return path;
}

/** sshd(8) wants it of root; what starts the system's own service makes it elsewhere. */
async function makePrivilegeSeparationDirectory(): Promise<void> {
	if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true, mode: 0o755 });
}

function listens(host: string, port: number): Promise<boolean> {
	return new Promise(resolve => {
		const socket = connect({ host, port });
		socket.once('error', () => resolve(false));
		socket.once('connect', () => {
			socket.destroy();
			resolve(true);
		});
	});
}
