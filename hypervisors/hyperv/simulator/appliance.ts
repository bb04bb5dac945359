import type { ApplianceDisk, ApplianceDisks } from './appliance-disks.ts';
import { describeDisk } from './disk-chain.ts';
import type { OpenFiles } from './open-files.ts';
import type { FileParts } from './file-parts.ts';
import { breaks } from './rules.ts';
import type { Drive } from './state.ts';
import { keyOfPath, placeOf } from './windows-paths.ts';

/** What the appliance's kernel reads of a disk. */
type AttachedDisk = Pick<ApplianceDisk, 'virtualDiskId' | 'sizeBytes'>;

/** The appliance as a machine of this host: it runs whenever the host does, and has its drives open. */
export class Appliance {
	readonly #root: string;
	readonly #openFiles: OpenFiles;
	readonly #disks: ApplianceDisks;
	readonly #attached = new Map<string, { release: () => void; disk: AttachedDisk }>();

	constructor(root: string, openFiles: OpenFiles, disks: ApplianceDisks) {
		this.#root = root;
		this.#openFiles = openFiles;
		this.#disks = disks;
	}

	async attach(drive: Drive, disk: AttachedDisk): Promise<void> {
		const release = this.#openFiles.take(drive.path, 'write', 'the appliance', 'Add-VMHardDiskDrive');
		try {
			await this.#disks.attach(this.#diskOf(drive, disk));
		} catch (error) {
			release();
			throw error;
		}
		this.#attached.set(keyOfPath(drive.path), { release, disk });
	}

	/** Throws while the appliance's kernel knows the disk: what it has not written yet would be lost. */
	async detach(drive: Drive): Promise<void> {
		const attached = this.#attached.get(keyOfPath(drive.path));
		if (attached === undefined) return;
		const disk = this.#diskOf(drive, attached.disk);
		if (!(await this.#disks.isLetGo(disk))) throw breaks('surpriseRemoval', 'Remove-VMHardDiskDrive', drive.path);
		await this.#disks.detach(disk);
		attached.release();
		this.#attached.delete(keyOfPath(drive.path));
	}

	/** A checkpoint has put another file over that of a drive: written is the one, and read are both. */
	move(from: string, to: string): void {
		const attached = this.#attached.get(keyOfPath(from));
		if (attached === undefined) return;
		attached.release();
		const releases = [
			this.#openFiles.take(from, 'read', 'the appliance', 'Checkpoint-VM'),
			this.#openFiles.take(to, 'write', 'the appliance', 'Checkpoint-VM'),
		];
		this.#attached.delete(keyOfPath(from));
		this.#attached.set(keyOfPath(to), { ...attached, release: () => releases.forEach(release => release()) });
	}

	/** With the host, or alone: its drives are there again, under other names. */
	async boot(host: FileParts): Promise<void> {
		for (const { release } of this.#attached.values()) release();
		this.#attached.clear();
		await this.#disks.reboot();
		for (const drive of host.state.applianceDrives) {
			const options = { cmdlet: 'Start-VM', account: undefined, who: 'the appliance' };
			const { vhdx } = await describeDisk(host, drive.path, options);
			const { sizeBytes } = vhdx.geometry;
			await this.attach(drive, { virtualDiskId: vhdx.ids.virtualDiskId, sizeBytes });
		}
	}

	#diskOf({ path, slot }: Drive, disk: AttachedDisk): ApplianceDisk {
		const { number: controller, location } = slot;
		return { ...disk, path: placeOf(this.#root, path), controller, location };
	}
}
