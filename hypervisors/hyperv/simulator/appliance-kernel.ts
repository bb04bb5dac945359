import { watch } from 'node:fs';
import { mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { RouseError } from '../../../model/errors.ts';
import { isErrno } from '../../../system/durable-file.ts';
import { readIfThere } from '../../../system/if-there.ts';
import { namesIn } from '../../../system/names-in.ts';
import { isMounted, unmount } from '../mounted-file.ts';
import type { ApplianceDisk, ApplianceDisks } from './appliance-disks.ts';
import { page83 } from './page-83.ts';
import { endStorageDaemon, startStorageDaemon, whatItSaid } from './storage-daemon.ts';

/** Where the simulated appliance shows its devices: what `/sys` and `/dev` are on a real one. */
export interface KernelRoots {
	sys: string;
	dev: string;
}

interface Shown {
	name: string;
	/** Its directory in sysfs. */
	device: string;
	/** Resolves when the disk is gone, by the kernel's hand. */
	gone: Promise<void> | undefined;
	unwatch: () => void;
}

/** In which what was written gets into the file. */
const politeMs = 20_000;

/**
 * A kernel's view of SCSI disks over VHDX files: `sys/block/sdX` with `size` and `device/{vpd_pg83,delete}`, and `dev/sdX`,
 * which is the disk's content served through FUSE by a qemu-storage-daemon each. A disk whose `delete` gets a `1` goes, as on
 * Linux, whoever has it open. Takes root, or FUSE for users.
 */
export class ApplianceKernel implements ApplianceDisks {
	readonly roots: KernelRoots;
	readonly #directory: string;
	readonly #shown = new Map<string, Shown>();
	#boots = 0;

	constructor(directory: string) {
		this.#directory = directory;
		this.roots = { sys: join(directory, 'sys'), dev: join(directory, 'dev') };
	}

	async reboot(): Promise<void> {
		this.#boots = Number((await readIfThere(this.#path('boots'))) ?? 0) + 1;
		for (const { unwatch } of this.#shown.values()) unwatch();
		this.#shown.clear();
		// Also those of a process before this one.
		for (const lock of await namesIn(this.#path('run')))
			if (lock.endsWith('.lock')) await endStorageDaemon(this.#daemon(lock.slice(0, -5)), { politeMs: 0 });
		for (const name of await namesIn(this.roots.dev)) await this.#unmount(name);
		for (const root of Object.values(this.roots)) await rm(root, { recursive: true, force: true });
		for (const path of [join(this.roots.sys, 'block'), this.roots.dev, this.#path('run')])
			await mkdir(path, { recursive: true, mode: 0o700 });
		await writeFile(this.#path('boots'), `${this.#boots}\n`);
	}

	async attach(disk: ApplianceDisk): Promise<void> {
		const name = this.#freeName();
		const [dev, daemon] = [join(this.roots.dev, name), this.#daemon(name)];
		await writeFile(dev, '', { mode: 0o600 });
		const isUp = await startStorageDaemon(
			daemon,
			[
				'--blockdev',
				`driver=file,node-name=file,filename=${disk.path},discard=unmap`,
				'--blockdev',
				'driver=vhdx,node-name=disk,file=file,discard=unmap',
				'--export',
				`type=fuse,id=disk,node-name=disk,mountpoint=${dev},writable=on,allow-other=off`,
			],
			() => isMounted(dev),
		);
		if (!isUp) throw new RouseError('machine_failed', `${disk.path} cannot be attached: ${await whatItSaid(daemon)}`);
		const device = await this.#show(disk, name);
		const shown: Shown = { name, device, gone: undefined, unwatch: () => undefined };
		this.#shown.set(disk.path, shown);
		const watcher = watch(device, () => void this.#lookAtDelete(shown));
		shown.unwatch = () => watcher.close();
	}

	async isLetGo(disk: ApplianceDisk): Promise<boolean> {
		const shown = this.#shown.get(disk.path);
		if (shown === undefined) return true;
		await this.#lookAtDelete(shown);
		await shown.gone;
		return shown.gone !== undefined;
	}

	async detach(disk: ApplianceDisk): Promise<void> {
		const shown = this.#shown.get(disk.path);
		if (shown === undefined) return;
		await (shown.gone ?? this.#goes(shown));
		this.#shown.delete(disk.path);
	}

	async close(): Promise<void> {
		for (const shown of this.#shown.values()) await (shown.gone ?? this.#goes(shown));
		this.#shown.clear();
	}

	/** The entries of sysfs, the device's own first; returns the directory that has `delete`. */
	async #show({ sizeBytes, virtualDiskId, controller, location }: ApplianceDisk, name: string): Promise<string> {
		// The first two hosts are those of IDE, as on machines of generation 1.
		const device = join(this.roots.sys, 'devices', `${controller + 2}:0:0:${location}`);
		const block = join(this.roots.sys, 'block', name);
		await mkdir(device, { recursive: true });
		await writeFile(join(device, 'vpd_pg83'), page83(virtualDiskId));
		await writeFile(join(device, 'delete'), '');
		// It appears and goes whole: who looks meanwhile sees it or not.
		const hidden = join(this.roots.sys, name);
		await mkdir(hidden);
		await symlink(relative(block, device), join(hidden, 'device'));
		await writeFile(join(hidden, 'size'), `${sizeBytes / 512}\n`);
		await rename(hidden, block);
		return device;
	}

	async #lookAtDelete(shown: Shown): Promise<void> {
		const text = await readFile(join(shown.device, 'delete'), 'latin1').catch((error: unknown) => {
			if (isErrno(error, 'ENOENT')) return '';
			throw error;
		});
		if (text.startsWith('1')) shown.gone ??= this.#goes(shown);
	}

	async #goes(shown: Shown): Promise<void> {
		shown.unwatch();
		const block = join(this.roots.sys, 'block', shown.name);
		await endStorageDaemon(this.#daemon(shown.name), { politeMs });
		await this.#unmount(shown.name);
		const hidden = join(this.roots.sys, shown.name);
		await rename(block, hidden);
		await rm(hidden, { recursive: true });
		await rm(shown.device, { recursive: true, force: true });
	}

	async #unmount(name: string): Promise<void> {
		const dev = join(this.roots.dev, name);
		// Killed, a daemon leaves a mount that answers nobody.
		if (await isMounted(dev)) await unmount(dev);
		await rm(dev, { force: true });
	}

	/** Another one after each boot: names are given in the order in which disks are found. */
	#freeName(): string {
		const taken = new Set([...this.#shown.values()].map(({ name }) => name));
		for (let number = 1 + (this.#boots % 7) * 3; ; number++) {
			const name = `sd${letters(number)}`;
			if (!taken.has(name)) return name;
		}
	}

	#daemon(name: string): { lockPath: string; logPath: string } {
		return { lockPath: this.#path('run', `${name}.lock`), logPath: this.#path('run', `${name}.log`) };
	}

	#path(...parts: string[]): string {
		return join(this.#directory, ...parts);
	}
}

/** `b`, …, `z`, `aa`, …: sd_format_disk_name of Linux. */
function letters(number: number): string {
	const last = String.fromCharCode(97 + (number % 26));
	return number < 26 ? last : letters(Math.floor(number / 26) - 1) + last;
}
