import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bench, BenchGuest } from '../../hypervisors/conformance.ts';
import type { MachineDefinition, Platform } from '../../hypervisors/contract.ts';
import { stopTarget } from '../../hypervisors/hyperv/iscsi/target.ts';
import type { Overlay } from '../../hypervisors/hyperv/hardware.ts';
import { machinePaths } from '../../hypervisors/hyperv/paths.ts';
import { targetIds } from '../../hypervisors/hyperv/record.ts';
import { letGo } from '../../hypervisors/hyperv/scsi-disks.ts';
import type { WindowsHost } from '../../hypervisors/hyperv/simulator/windows-host.ts';
import { asRouseError } from '../../model/errors.ts';
import { appliance, datastore, HypervHost } from './hyperv-host.ts';
import { benchConfig } from './simulated-bench.ts';
import { VolumeMover } from './volume-mover.ts';

export interface HypervBench extends Bench {
	hyperv: HypervHost;
	/** Another one after each boot. */
	readonly windows: WindowsHost;
	mover: VolumeMover;
	/** Orderly, and the next boot: what ran was saved. The appliance is shut down before it. */
	restartWindows(): Promise<void>;
	/** On its datastore. */
	filesOfHost(): Promise<string[]>;
	paths: ReturnType<typeof machinePaths>;
}

/** Above the smallest disk of Hyper-V; 7-Zip 26.02 takes no odd number of sectors, and no larger unit divides it. */
const diskBytes = 3 * 1024 * 1024 + 6 * 512;
/** A machine on a simulated Windows host; its volume is served by a mount mover's code. */
export async function makeHypervBench(
	options: { patienceMs?: number; lockMs?: number; overlay?: Overlay } = {},
): Promise<HypervBench> {
	const directory = await mkdtemp(join(tmpdir(), 'rouse-hv-'));
	const places = { directory: join(directory, 'machine'), runDirectory: join(directory, 'run') };
	for (const place of Object.values(places)) await mkdir(place);
	const hyperv = await HypervHost.start(directory, options);
	const { platform, driver } = hyperv;
	const base = [randomBytes(diskBytes), randomBytes(diskBytes)];
	for (const content of base) content.fill(0x5e, 0, 512);
	const definition = await definitionOf(platform, base, { ...places, nbdSocket: join(directory, 'nbd.sock') });
	const mover = new VolumeMover(platform, definition, base);
	const paths = machinePaths(definition, datastore);
	const { recoveryId, disks } = definition;
	const endTarget = () => stopTarget({ directory: paths.iscsi });
	const guest = () => hyperv.windows.guest(recoveryId);
	return {
		hyperv,
		platform,
		get windows() {
			return hyperv.windows;
		},
		definition,
		base,
		mover,
		paths,
		restartWindows: async () => {
			await mover.stop();
			await endTarget();
			await hyperv.restart();
		},
		filesOfHost: () => namesBelow(hyperv.place('D:\\')),
		content: disk => hyperv.content(recoveryId, disk),
		guest: guestOf(guest),
		fate: {
			kill: async () => {
				await hyperv.windows.killMachine(recoveryId);
				await driver.ask('power', { recoveryId, action: 'forget-saved' });
			},
			freeze: async () => hyperv.windows.freeze(recoveryId, true),
			thaw: async () => hyperv.windows.freeze(recoveryId, false),
			reboot: async () => {
				await mover.stop();
				await endTarget();
				await rm(places.runDirectory, { recursive: true, force: true });
				await hyperv.losePower();
			},
			loseTarget: async disk => {
				const lost = disks[disk];
				if (!lost) return;
				// One that is attached cannot be deleted.
				await letGo(hyperv.roots, (await targetIds(definition, paths))[disk] ?? '');
				const path = paths.windows.target(lost);
				await driver.ask('detach-target', { recoveryId, appliance, path });
				await rm(hyperv.place(path));
			},
		},
		boot: async () => guest().boot,
		leftovers: async () => {
			const files = [places.directory, places.runDirectory, hyperv.place('D:\\')].map(namesBelow);
			const vm = await driver.ask('observe', { recoveryId });
			const kept = (await Promise.all(files))
				.flat()
				.filter(name => !/(^|\/)(target\d\.vhdx|hyperv-targets\.json)$/.test(name))
				.filter(name => options.overlay !== 'checkpoint' || !/(^|\/)disk\d\.vhdx$/.test(name));
			return [...kept.toSorted(), ...(vm ? [`machine ${vm.state}`] : [])];
		},
		dispose: async () => {
			await hyperv.windows.losePower();
			await mover.stop();
			await endTarget();
			await hyperv.end();
			await rm(directory, { recursive: true, force: true });
		},
	};
}

async function definitionOf(
	platform: Platform,
	base: readonly Buffer[],
	places: Pick<MachineDefinition, 'directory' | 'runDirectory' | 'nbdSocket'>,
): Promise<MachineDefinition> {
	const nics = [{ mac: '52:54:00:00:00:01', network: 'default', target: 'none' }];
	const { data } = await platform.chooseHardware({ config: benchConfig, nics, options: {} });
	return {
		recoveryId: randomUUID(),
		machineName: 'bench',
		config: benchConfig,
		hardware: data,
		nics,
		disks: base.map((content, n) => ({
			name: `disk${n}`,
			sizeBytes: content.length,
			exports: { now: `disk${n}-now`, wait: `disk${n}` },
		})),
		allocate: 'start',
		...places,
	};
}

function guestOf(guest: () => ReturnType<WindowsHost['guest']>): BenchGuest {
	return {
		write: (disk, { offsetBytes, lengthBytes, pattern }) =>
			whileItRuns(async () => {
				await guest().write(disk, offsetBytes, Buffer.alloc(lengthBytes, pattern));
				await guest().flush();
				return true;
			}),
		reads: (disk, { offsetBytes, lengthBytes, pattern }) =>
			whileItRuns(async () => {
				const bytes = await guest().read(disk, offsetBytes, lengthBytes);
				return bytes.every(byte => byte === pattern);
			}),
		powersOff: () => guest().powerOff(),
	};
}

/** False when there is no guest that could. */
async function whileItRuns(act: () => Promise<boolean>): Promise<boolean> {
	try {
		return await act();
	} catch (error) {
		if (asRouseError(error).code !== 'machine_failed') throw error;
		return false;
	}
}

async function namesBelow(directory: string): Promise<string[]> {
	const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
	return entries.filter(entry => !entry.isDirectory()).map(({ name }) => name);
}
