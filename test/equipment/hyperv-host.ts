import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { Platform } from '../../hypervisors/contract.ts';
import type { Driver } from '../../hypervisors/hyperv/driver/driver.ts';
import { driverError } from '../../hypervisors/hyperv/driver/errors.ts';
import type { Overlay } from '../../hypervisors/hyperv/hardware.ts';
import { createHypervPlatform } from '../../hypervisors/hyperv/platform.ts';
import { ApplianceKernel } from '../../hypervisors/hyperv/simulator/appliance-kernel.ts';
import { DiskFile } from '../../hypervisors/hyperv/simulator/disk-file.ts';
import { inProcessDriver } from '../../hypervisors/hyperv/simulator/in-process-driver.ts';
import { IscsiInitiator } from '../../hypervisors/hyperv/simulator/iscsi-initiator.ts';
import { WindowsHost } from '../../hypervisors/hyperv/simulator/windows-host.ts';
import { placeOf } from '../../hypervisors/hyperv/simulator/windows-paths.ts';
import { VhdxDisk } from '../../vhdx/disk.ts';
import { openVhdx } from '../../vhdx/open.ts';

export const datastore = 'D:\\Rouse';
export const appliance = 'a0a0a0a0-1111-4222-8333-444444444444';

/**
 * A simulated Windows host in this process, and the platform that drives it. What is real on Linux is real: VHDX files, an
 * iSCSI session, targets as disks of a pretended appliance. It takes root, or FUSE for users.
 */
export class HypervHost {
	readonly platform: Platform;
	readonly driver: Driver;
	readonly #boot: () => Promise<WindowsHost>;
	readonly #kernel: ApplianceKernel;
	/** Where the appliance shows its disks. */
	readonly roots: ApplianceKernel['roots'];
	#windows: WindowsHost;

	private constructor(
		{ home, overlay }: { home: string; overlay: Overlay },
		boot: () => Promise<WindowsHost>,
		windows: WindowsHost,
		kernel: ApplianceKernel,
	) {
		this.#boot = boot;
		this.#windows = windows;
		this.#kernel = kernel;
		this.roots = kernel.roots;
		this.driver = inProcessDriver(() => this.#windows, driverError);
		this.platform = createHypervPlatform({
			driver: this.driver,
			pipes: { open: async () => new PassThrough() },
			datastore,
			appliance,
			address: '127.0.0.1',
			roots: kernel.roots,
			lookMs: 3_000,
			overlay: async () => ({ overlay }),
			home,
		});
	}

	/** `directory`: a short one, for sockets. `lockMs`: how long an operation waits for another one on its machine. */
	static async start(
		directory: string,
		{ lockMs, overlay = 'child', ...options }: { patienceMs?: number; lockMs?: number; overlay?: Overlay } = {},
	): Promise<HypervHost> {
		const kernel = new ApplianceKernel(join(directory, 'appliance'));
		const boot = () =>
			WindowsHost.boot({
				directory: join(directory, 'windows'),
				applianceId: appliance,
				computerName: 'HV1',
				processors: 8,
				switches: [{ name: 'LAN', type: 'External' }],
				initiator: new IscsiInitiator(join(directory, 'sessions'), options),
				appliance: kernel,
				...(lockMs === undefined ? {} : { lockMs }),
			});
		return new HypervHost({ home: directory, overlay }, boot, await boot(), kernel);
	}

	/** Another one after each boot. */
	get windows(): WindowsHost {
		return this.#windows;
	}

	async losePower(): Promise<void> {
		await this.#windows.losePower();
		this.#windows = await this.#boot();
	}

	/** Orderly: what ran was saved. */
	async restart(): Promise<void> {
		await this.#windows.shutDown();
		this.#windows = await this.#boot();
	}

	/** Where the simulator keeps a file of Windows. */
	place(windowsPath: string): string {
		return placeOf(this.#windows.root, windowsPath);
	}

	/** Of a machine that is off, read by the files that its disk consists of. */
	async content(recoveryId: string, number: number): Promise<Buffer> {
		await this.#windows.untilMerged();
		const { disks } = await this.driver.ask('chain', { recoveryId });
		const opened: DiskFile[] = [];
		try {
			let disk: VhdxDisk | undefined;
			for (const { path } of disks[number]?.files.toReversed() ?? []) {
				const file = await DiskFile.open(this.place(path), path, 'r');
				opened.push(file);
				disk = new VhdxDisk(await openVhdx(file), disk);
			}
			return Buffer.from((await disk?.read(0, disk.sizeBytes)) ?? []);
		} finally {
			for (const file of opened) await file.close();
		}
	}

	async end(): Promise<void> {
		await this.#windows.losePower();
		await this.#kernel.close();
	}
}
