import { asRouseError } from '../../../model/errors.ts';
import { readIfThere } from '../../../system/if-there.ts';
import { waitFor } from '../../../system/wait.ts';
import { type Qmp, QmpClient } from '../../../qmp/client.ts';
import type { QmpEvent } from '../../../qmp/session.ts';
import { qemuDeviceId } from '../page-83.ts';
import type { ApplianceDisk, ApplianceDisks } from './appliance-disks.ts';

/** QEMU that is just being started has no socket yet. */
const startsMs = 60_000;
/** virtio-scsi asks no guest: a device goes as soon as its requests have ended. */
const leavesMs = 60_000;

/**
 * The appliance as a machine of QEMU, which has a virtio-scsi controller `scsiN` for each controller N. Drives come and go by
 * QMP while it runs, with controller and location as they are on Windows: host and LUN of Linux. Whoever boots it again starts
 * a new QEMU.
 */
export class ApplianceInQemu implements ApplianceDisks {
	readonly #qmpSocket: string;
	readonly #consolePath: string;
	/** By path: how much its console had said when the drive came. */
	readonly #attached = new Map<string, number>();

	constructor({ qmpSocket, consolePath }: { qmpSocket: string; consolePath: string }) {
		this.#qmpSocket = qmpSocket;
		this.#consolePath = consolePath;
	}

	async attach(disk: ApplianceDisk): Promise<void> {
		const name = nameOf(disk);
		const said = (await this.#console()).length;
		await this.#withQmp(async qmp => {
			const file = { driver: 'file', filename: disk.path };
			await qmp.execute('blockdev-add', { driver: 'vhdx', 'node-name': name, file });
			await qmp.execute('device_add', {
				driver: 'scsi-hd',
				id: name,
				drive: name,
				bus: `scsi${disk.controller}.0`,
				channel: 0,
				'scsi-id': 0,
				lun: disk.location,
				device_id: qemuDeviceId(disk.virtualDiskId),
				serial: disk.virtualDiskId,
			});
		});
		this.#attached.set(disk.path, said);
	}

	/**
	 * By what sd_shutdown of Linux (drivers/scsi/sd.c) says before it writes what the disk's cache holds. QEMU is told nothing, as
	 * little as Hyper-V is.
	 */
	async isLetGo(disk: ApplianceDisk): Promise<boolean> {
		const attachedAt = this.#attached.get(disk.path);
		if (attachedAt === undefined) return true;
		const console = await this.#console();
		const hosts = [...console.matchAll(/scsi host(\d+): Virtio SCSI HBA/g)].map(([, number]) => number);
		const host = hosts[disk.controller];
		const goes = new RegExp(`sd ${host}:0:0:${disk.location}: \\[sd[a-z]+\\] Synchronizing SCSI cache`);
		return host !== undefined && goes.test(console.slice(attachedAt));
	}

	async detach(disk: ApplianceDisk): Promise<void> {
		if (!this.#attached.has(disk.path)) return;
		const name = nameOf(disk);
		await this.#withQmp(async qmp => {
			const isGone = ({ event, data }: QmpEvent) => event === 'DEVICE_DELETED' && data['device'] === name;
			await Promise.all([qmp.waitForEvent(isGone, leavesMs), qmp.execute('device_del', { id: name })]);
			await qmp.execute('blockdev-del', { 'node-name': name });
		});
		this.#attached.delete(disk.path);
	}

	async reboot(): Promise<void> {
		this.#attached.clear();
	}

	async close(): Promise<void> {
		// It goes on, as its host does not.
	}

	async #withQmp(act: (qmp: Qmp) => Promise<void>): Promise<void> {
		const connect = () =>
			QmpClient.connect(this.#qmpSocket).catch((error: unknown) => {
				if (asRouseError(error).code === 'hypervisor_failed') return undefined;
				throw error;
			});
		const qmp = await waitFor('the QEMU of the appliance', connect, { timeoutMs: startsMs });
		try {
			await act(qmp);
		} finally {
			qmp.close();
		}
	}

	async #console(): Promise<string> {
		return (await readIfThere(this.#consolePath)) ?? '';
	}
}

function nameOf({ controller, location }: ApplianceDisk): string {
	return `target-${controller}-${location}`;
}
