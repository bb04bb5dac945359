/** An OpenSSH server as a Linux host has it: who logs in is who runs it, and every command is done. */
import { connect } from 'node:net';
import { readFile, writeFile, mkdir } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { parseHostKeys } from '../../hypervisors/hyperv/host-setup/host-keys.ts';
import { freePort } from '../../system/free-port.ts';
import { runTool } from '../../system/run-tool.ts';
import { waitFor } from '../../system/wait.ts';
import { captive } from './captive.ts';

export interface LinuxSsh {
	user: string;
	host: string;
	port: number;
	/** Of the private key that it takes. */
	identityPath: string;
	fingerprint: string;
}

/** `start` has the server run, with this program and arguments; this machine's own by default. */
export async function linuxSsh(
	t: Pick<TestContext, 'after'>,
	directory: string,
	start: (program: string, ...args: string[]) => Promise<unknown> = async (...command) => captive(t, ...split(command)),
): Promise<LinuxSsh> {
	await mkdir(directory, { mode: 0o700 });
	const at = (name: string) => join(directory, name);
	for (const key of ['host-key', 'client-key'])
		await runTool('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'rouse', '-f', at(key)], { hint: '' });
	const host = '127.0.0.1';
	const port = await freePort(host);
	const lines = {
		ListenAddress: `${host}:${port}`,
		HostKey: at('host-key'),
		AuthorizedKeysFile: at('client-key.pub'),
		PidFile: 'none',
		PermitRootLogin: 'prohibit-password',
		UsePAM: 'no',
		StrictModes: 'no',
	};
	const text = Object.entries(lines).map(([name, value]) => `${name} ${value}\n`);
	await writeFile(at('config'), text.join(''));
	await mkdir('/run/sshd', { recursive: true, mode: 0o755 });
	await start('/usr/sbin/sshd', '-D', '-e', '-f', at('config'));
	await waitFor('sshd to listen', () => listens(host, port), { timeoutMs: 20_000 });
	const [shown] = parseHostKeys(`${host} ${await readFile(at('host-key.pub'), 'utf8')}`);
	return {
		user: userInfo().username,
		host,
		port,
		identityPath: at('client-key'),
		fingerprint: shown?.fingerprint ?? '',
	};
}

function split([program = '', ...args]: readonly string[]): [string, string[]] {
	return [program, args];
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
