import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { Bench, BenchGuest } from '../../hypervisors/conformance.ts';
import type { MachineDefinition, Platform } from '../../hypervisors/contract.ts';
import { driverError } from '../../hypervisors/hyperv/driver/errors.ts';
import type { Driver } from '../../hypervisors/hyperv/driver/driver.ts';
import { stopTarget } from '../../hypervisors/hyperv/iscsi/target.ts';
import { createHypervPlatform } from '../../hypervisors/hyperv/platform.ts';
import { machinePaths } from '../../hypervisors/hyperv/paths.ts';
import { ApplianceKernel } from '../../hypervisors/hyperv/simulator/appliance-kernel.ts';
import { DiskFile } from '../../hypervisors/hyperv/simulator/disk-file.ts';
import { inProcessDriver } from '../../hypervisors/hyperv/simulator/in-process-driver.ts';
import { IscsiInitiator } from '../../hypervisors/hyperv/simulator/iscsi-initiator.ts';
import type { WindowsSettings } from '../../hypervisors/hyperv/simulator/parts.ts';
import { WindowsHost } from '../../hypervisors/hyperv/simulator/windows-host.ts';
import { placeOf } from '../../hypervisors/hyperv/simulator/windows-paths.ts';
import { asRouseError } from '../../model/errors.ts';
import { VhdxDisk } from '../../vhdx/disk.ts';
import { openVhdx } from '../../vhdx/open.ts';
import { benchConfig } from './simulated-bench.ts';
import { VolumeMover } from './volume-mover.ts';

export interface HypervBench extends Bench {
	driver: Driver;
	/** Another one after each boot. */
	readonly host: WindowsHost;
	mover: VolumeMover;
	/** Where the simulator keeps a file of Windows. */
	place(windowsPath: string): string;
	/** Orderly, and the next boot: what ran was saved. The appliance is shut down before it. */
	restartWindows(): Promise<void>;
	paths: ReturnType<typeof machinePaths>;
}

/** Above the smallest disk of Hyper-V; 7-Zip 26.02 takes no odd number of sectors, and no larger unit divides it. */
const diskBytes = 3 * 1024 * 1024 + 6 * 512;
const datastore = 'D:\\Rouse';
const applianceId = 'a0a0a0a0-1111-4222-8333-444444444444';

/**
 * A machine on a simulated Windows host, with all that is real on Linux: VHDX files, an iSCSI session to a tgtd over the
 * volume that a mount mover's code serves, targets as disks of a pretended appliance. It takes root, or FUSE for users.
 */
export async function makeHypervBench({ patienceMs }: { patienceMs?: number } = {}): Promise<HypervBench> {
	const directory = await mkdtemp(join(tmpdir(), 'rouse-hv-'));
	const places = { directory: join(directory, 'machine'), runDirectory: join(directory, 'run') };
	for (const place of Object.values(places)) await mkdir(place);
	const kernel = new ApplianceKernel(join(directory, 'appliance'));
	const initiator = new IscsiInitiator(join(directory, 'sessions'), patienceMs === undefined ? {} : { patienceMs });
	const settings: WindowsSettings = {
		directory: join(directory, 'windows'),
		applianceId,
		computerName: 'HV1',
		processors: 8,
		switches: [{ name: 'LAN', type: 'External' }],
		initiator,
		appliance: kernel,
	};
	let host = await WindowsHost.boot(settings);
	const driver = inProcessDriver(() => host, driverError);
	const platform = createHypervPlatform({
		driver,
		pipes: { open: async () => new PassThrough() },
		datastore,
		appliance: applianceId,
		address: '127.0.0.1',
		roots: kernel.roots,
		lookMs: 3_000,
	});
	const base = [randomBytes(diskBytes), randomBytes(diskBytes)];
	for (const content of base) content.fill(0x5e, 0, 512);
	const definition = await definitionOf(platform, base, { ...places, nbdSocket: join(directory, 'nbd.sock') });
	const mover = new VolumeMover(platform, definition, base);
	const paths = machinePaths(definition, datastore);
	const { recoveryId, disks } = definition;
	const place = (windowsPath: string) => placeOf(host.root, windowsPath);
	const endTarget = () => stopTarget({ directory: paths.iscsi });
	const guest = () => host.guest(recoveryId);
	return {
		platform,
		driver,
		get host() {
			return host;
		},
		definition,
		base,
		mover,
		paths,
		place,
		restartWindows: async () => {
			await mover.stop();
			await endTarget();
			await host.shutDown();
			host = await WindowsHost.boot(settings);
		},
		content: disk => contentOf(driver, place, recoveryId, disk),
		guest: guestOf(guest),
		fate: {
			kill: async () => {
				await host.killMachine(recoveryId);
				await driver.ask('power', { recoveryId, action: 'forget-saved' });
			},
			freeze: async () => host.freeze(recoveryId, true),
			thaw: async () => host.freeze(recoveryId, false),
			reboot: async () => {
				await host.losePower();
				await mover.stop();
				await endTarget();
				await rm(places.runDirectory, { recursive: true, force: true });
				host = await WindowsHost.boot(settings);
			},
			loseTarget: async disk => {
				const lost = disks[disk];
				if (lost) await rm(place(paths.windows.target(lost)));
			},
		},
		boot: async () => guest().boot,
		leftovers: async () => {
			const files = [places.directory, places.runDirectory, join(host.root, 'D')].map(namesBelow);
			const vm = await driver.ask('observe', { recoveryId });
			const kept = (await Promise.all(files))
				.flat()
				.filter(name => !/(^|\/)(target\d\.vhdx|hyperv-targets\.json)$/.test(name));
			return [...kept.toSorted(), ...(vm ? [`machine ${vm.state}`] : [])];
		},
		dispose: async () => {
			await host.losePower();
			await mover.stop();
			await endTarget();
			await kernel.close();
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

/** Of a machine that is off, read by the files that it consists of. */
async function contentOf(
	driver: Driver,
	place: (windowsPath: string) => string,
	recoveryId: string,
	number: number,
): Promise<Buffer> {
	const { disks } = await driver.ask('chain', { recoveryId });
	const opened: DiskFile[] = [];
	try {
		let disk: VhdxDisk | undefined;
		for (const { path } of disks[number]?.files.toReversed() ?? []) {
			const file = await DiskFile.open(place(path), path, 'r');
			opened.push(file);
			disk = new VhdxDisk(await openVhdx(file), disk);
		}
		return Buffer.from((await disk?.read(0, disk.sizeBytes)) ?? []);
	} finally {
		for (const file of opened) await file.close();
	}
}

async function namesBelow(directory: string): Promise<string[]> {
	const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
	return entries.filter(entry => !entry.isDirectory()).map(({ name }) => name);
}
