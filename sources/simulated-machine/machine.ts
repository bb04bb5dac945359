import { mkdir, open, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import { bitmapsOf, blocksOf, record } from './bitmaps.ts';
import { MachineFiles, readJson, type SimulatedMachine, simulatedMachineSchema, writeJson } from './files.ts';

/** A machine in a directory: what its guest and its owner do to it. Its disks are files, and small. */
export class MachineInDirectory {
	readonly files: MachineFiles;

	private constructor(files: MachineFiles) {
		this.files = files;
	}

	static async make(directory: string, machine: SimulatedMachine): Promise<MachineInDirectory> {
		const made = new MachineInDirectory(new MachineFiles(directory));
		await mkdir(join(directory, 'disks'), { recursive: true });
		await writeJson(made.files.machine, { ...machine, disks: [] });
		for (const { key, sizeBytes } of machine.disks) await made.addDisk(key, sizeBytes);
		return made;
	}

	static at(directory: string): MachineInDirectory {
		return new MachineInDirectory(new MachineFiles(directory));
	}

	/** `machine_unknown` when there is none. */
	async describe(): Promise<SimulatedMachine> {
		const machine = await readJson(this.files.machine, simulatedMachineSchema);
		if (machine !== undefined) return machine;
		throw new RouseError('machine_unknown', `there is no machine in ${this.files.directory}`);
	}

	async write(key: string, offsetBytes: number, bytes: Buffer): Promise<void> {
		await record(this.files, key, blocksOf(offsetBytes, bytes.length));
		const disk = await open(this.files.disk(key), 'r+');
		try {
			await disk.write(bytes, 0, bytes.length, offsetBytes);
		} finally {
			await disk.close();
		}
	}

	/** What is given up reads as zeros. */
	async discard(key: string, offsetBytes: number, lengthBytes: number): Promise<void> {
		await this.write(key, offsetBytes, Buffer.alloc(lengthBytes));
	}

	/** What is cut off is gone, and what comes new is zero. */
	async resize(key: string, sizeBytes: number): Promise<void> {
		const machine = await this.describe();
		const before = machine.disks.find(disk => disk.key === key)?.sizeBytes ?? 0;
		const [from, to] = [Math.min(before, sizeBytes), Math.max(before, sizeBytes)];
		await record(this.files, key, blocksOf(from, to - from));
		await truncate(this.files.disk(key), sizeBytes);
		const disks = machine.disks.map(disk => (disk.key === key ? { key, sizeBytes } : disk));
		await writeJson(this.files.machine, { ...machine, disks });
	}

	/** Empty, the last one of all. A key is never given twice. */
	async addDisk(key: string, sizeBytes: number): Promise<void> {
		await writeFile(this.files.disk(key), '', { flag: 'wx' });
		await truncate(this.files.disk(key), sizeBytes);
		const machine = await this.describe();
		await writeJson(this.files.machine, { ...machine, disks: [...machine.disks, { key, sizeBytes }] });
	}

	async removeDisk(key: string): Promise<void> {
		const machine = await this.describe();
		await writeJson(this.files.machine, { ...machine, disks: machine.disks.filter(disk => disk.key !== key) });
		await rm(this.files.disk(key));
		for (const path of await bitmapsOf(this.files, key)) await rm(path, { force: true });
	}

	/** The hypervisor dies: what it kept in its memory, bitmaps and what is being read, is gone. A cloud's snapshots stay. */
	async crash(): Promise<void> {
		if ((await this.describe()).flavour === 'snapshots') return;
		await rm(this.files.bitmaps, { recursive: true, force: true });
		await rm(this.files.sets, { recursive: true, force: true });
	}

	/** Another machine is at this address from now on. */
	async become(identity: string): Promise<void> {
		await writeJson(this.files.machine, { ...(await this.describe()), identity });
	}
}
