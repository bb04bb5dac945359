/** A simulated Windows host that is reached over real SSH, and what a set-up of it takes. */
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { writeVhdx } from '../../appliance/vhdx-file.ts';
import { parseHostKeys } from '../../hypervisors/hyperv/host-setup/host-keys.ts';
import { startSshServer, stopSshServer } from '../../hypervisors/hyperv/simulator/ssh/server.ts';
import { administratorsKeys } from '../../hypervisors/hyperv/simulator/windows-paths.ts';
import { temporaryDirectory } from './captive.ts';
import type { SetupRun } from './host-setup-child.ts';
import { treeOf } from './tree-of.ts';
import { type Simulator, windowsSimulator } from './windows-simulator.ts';

const childProgram = fileURLToPath(new URL('host-setup-child.ts', import.meta.url));

export interface SetupBench {
	host: Simulator;
	run: SetupRun;
	/** In a process of its own: what it answered, and whether it was killed. */
	inProcess(this: void, change: Partial<SetupRun>): Promise<{ answer: unknown; killed: boolean }>;
	/** What of Windows survives its power loss, without the count of its boots. */
	everything(this: void): Promise<{ state: unknown; files: string[] }>;
}

export async function setupBench(t: TestContext): Promise<SetupBench> {
	const host = await windowsSimulator(t);
	const { driverSocket, consoleSocket, directory: windows } = host.config;
	const root = join(windows, 'drives');
	const keys = administratorsKeys(root);
	await mkdir(dirname(keys), { recursive: true });
	await writeFile(keys, 'ssh-ed25519 BBBB somebody\r\n');
	await mkdir(join(root, 'D'));
	const work = await temporaryDirectory(t, path => stopSshServer(join(path, 'ssh')));
	const server = await startSshServer({ directory: join(work, 'ssh'), driverSocket, consoleSocket, root });
	const { user, host: address, port, identityPath } = server.destination;
	const [hostKey] = parseHostKeys(await readFile(server.destination.knownHostsPath, 'utf8'));
	const image = join(work, 'image.vhdx');
	await writeFile(join(work, 'raw'), Buffer.alloc(8 * 2 ** 20, 'appliance'));
	await writeVhdx(join(work, 'raw'), image, 'cd'.repeat(32), undefined);
	const wanted = {
		name: 'hv1',
		user,
		host: address,
		port,
		datastore: 'D:\\Rouse',
		externalSwitch: 'lan',
		address: 'dhcp',
		nameServers: [],
	};
	const run: SetupRun = {
		what: 'add',
		wanted,
		directory: join(work, 'hosts', 'hv1'),
		identityPath,
		image,
		...(hostKey ? { hostKey: hostKey.fingerprint } : {}),
	};
	return {
		host,
		run,
		inProcess: change => runChild({ ...run, ...change }),
		everything: async () => {
			const { boots: _, ...state } = JSON.parse(await readFile(join(windows, 'host.json'), 'utf8'));
			return { state, files: await treeOf(root) };
		},
	};
}

function runChild(run: SetupRun): Promise<{ answer: unknown; killed: boolean }> {
	return new Promise((resolve, reject) => {
		execFile(process.execPath, [childProgram, JSON.stringify(run)], (error, stdout, stderr) => {
			if (error?.signal === 'SIGKILL') return resolve({ answer: undefined, killed: true });
			if (stdout === '') return reject(new Error(`the child said nothing: ${stderr}`));
			return resolve({ answer: JSON.parse(stdout), killed: false });
		});
	});
}
