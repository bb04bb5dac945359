/** The appliance as a host of an installation outside it: how both find each other, and who stands for Windows. */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { buildAppliance } from '../../appliance/build.ts';
import { makeSeedDisk } from '../../appliance/first-boot/seed-disk.ts';
import type { Seed } from '../../appliance/first-boot/seed.ts';
import { type SimulatedWindows, startWindows } from '../../cli/demo/hyperv/windows.ts';
import { control } from '../../hypervisors/hyperv/simulator/control-client.ts';
import { servedAddresses } from '../../keeper/served-addresses.ts';
import { hostKeysIn } from '../../repository/service/service-keys.ts';
import { freePort } from '../../system/free-port.ts';
import { cacheDirectory, loadConfig } from '../../system/installation.ts';
import { type ApplianceMachine, bootAppliance, consolePath, windowsQmp } from './appliance-machine.ts';
import { sampleSeed } from './appliance-seed.ts';
import type { Shell } from './appliance-shell.ts';
import { temporaryDirectory } from './captive.ts';
import { EmbeddedInstallation } from './embedded-installation.ts';
import { openTap, type Tap } from './tap.ts';

const mac = '00:15:5d:01:02:03';

export class ApplianceHost {
	/** Has the repository, and Temporal. */
	readonly here: EmbeddedInstallation;
	readonly windows: SimulatedWindows;
	readonly directory: string;
	/** As the installation names it. */
	readonly hostId: string;
	readonly #t: TestContext;
	readonly #tap: Tap;
	readonly #vhdxPath: string;
	#machine: ApplianceMachine | undefined;
	#shell: Shell | undefined;

	private constructor(
		t: TestContext,
		parts: Pick<ApplianceHost, 'here' | 'windows' | 'directory' | 'hostId'>,
		tap: Tap,
		vhdxPath: string,
	) {
		this.#t = t;
		this.here = parts.here;
		this.windows = parts.windows;
		this.directory = parts.directory;
		this.hostId = parts.hostId;
		this.#tap = tap;
		this.#vhdxPath = vhdxPath;
	}

	/** With all outside it up, and the seed disk made; it is off. */
	static async make(t: TestContext): Promise<ApplianceHost> {
		const { vhdxPath } = await buildAppliance({ cacheDirectory: cacheDirectory() });
		let windows: SimulatedWindows | undefined;
		const directory = await temporaryDirectory(t, async () => windows?.end());
		const machine = join(directory, 'appliance');
		await mkdir(machine);
		const tap = await openTap(t);
		windows = await startWindows(join(directory, 'hv1'), {
			signal: AbortSignal.timeout(60_000),
			addresses: { windows: tap.here, appliance: tap.there },
			appliance: { qmpSocket: windowsQmp(machine), consolePath: consolePath(machine) },
		});
		const hostId = randomUUID();
		const [temporal, main] = [await freePort(tap.here), await freePort(tap.here)];
		const serve = `serve: {address: ${tap.here}, temporal: ${temporal}, repositories: {main: ${main}}}`;
		const here = await EmbeddedInstallation.up(t, `hosts: {hv1: {id: ${hostId}}}\n${serve}\n`);
		const host = new ApplianceHost(t, { here, windows, directory, hostId }, tap, vhdxPath);
		await makeSeedDisk(host.#path('seed.raw'), await host.#seed());
		return host;
	}

	/** Its drives are attached before its kernel looks for them, as on a Windows host. */
	async boot(): Promise<void> {
		const { windows } = this;
		this.#machine = await bootAppliance(this.#t, {
			vhdxPath: this.#vhdxPath,
			directory: this.#path('appliance'),
			mac,
			seedPath: this.#path('seed.raw'),
			tap: this.#tap.name,
			shell: true,
			memoryMiB: 2048,
		});
		await control(windows.controlSocket, { do: 'reboot-appliance' });
		this.#shell = await this.#machine.openShell();
	}

	get machine(): ApplianceMachine {
		if (this.#machine === undefined) throw new Error('it is off');
		return this.#machine;
	}

	/** What its journal ends with, for whoever looks for the cause of a failure. */
	async journal(): Promise<string> {
		return await this.shell('journalctl --boot --lines 40 --no-pager').catch(String);
	}

	async shell(command: string): Promise<string> {
		if (this.#shell === undefined) throw new Error('it is off');
		return await this.#shell(command);
	}

	#path(name: string): string {
		return join(this.directory, name);
	}

	async #seed(): Promise<Seed> {
		const { installation, repository: directory } = this.here;
		await this.here.answer('host', 'admit', 'hv1', '--to', this.#path('keys'));
		const keys = await texts(hostKeysIn(this.#path('keys')));
		const served = await servedAddresses(installation, await loadConfig(installation));
		if (!served?.temporal || !served.repositories['main']) throw new Error('nothing is served');
		const { here, there, prefix } = this.#tap;
		const { host } = this.windows;
		const base = await sampleSeed(this.#t);
		return {
			version: 0,
			name: 'hv1',
			kind: 'hyperv',
			hostId: this.hostId,
			renewal: base.renewal,
			networks: [{ mac, address: `${there}/${prefix}`, nameServers: [] }],
			temporal: { ...served.temporal, tls: { ...keys, serverName: served.serverName } },
			repository: { name: 'main', directory, ...served.repositories['main'], ...keys },
			windows: {
				host: here,
				port: host.port,
				user: 'root',
				key: await readFile(host.identityFile, 'utf8'),
				hostKeys: (await readFile(host.knownHostsFile, 'utf8')).trimEnd().split('\n'),
				datastore: host.datastore,
				appliance: host.appliance,
				address: there,
			},
		};
	}
}

/** The text of each file. */
async function texts(paths: { authority: string; certificate: string; key: string }) {
	return {
		authority: await readFile(paths.authority, 'utf8'),
		certificate: await readFile(paths.certificate, 'utf8'),
		key: await readFile(paths.key, 'utf8'),
	};
}
