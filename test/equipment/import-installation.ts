/** A home whose config.yaml names a repository and a simulated machine, for the processes that take the steps of an import. */
import { randomUUID } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { readPoints } from '../../repository/read-points.ts';
import { initRepository, openRepository } from '../../repository/repository.ts';
import type { ImportPlaces } from '../../sources/machine-child/calls.ts';
import { Faults, type Fault } from '../../sources/simulated-machine/faults.ts';
import { blockBytes as block } from '../../sources/simulated-machine/bitmaps.ts';
import { MachineInDirectory } from '../../sources/simulated-machine/machine.ts';
import { SimulatedMachineSource } from '../../sources/simulated-machine/source.ts';
import { temporaryDirectory } from './captive.ts';
import { collect, noise } from './repositories.ts';

export const secret = 'canary-4f1d2c9b7a';

/** Two disks, the first of 20 blocks. */
export async function makeSimulatedMachine(directory: string): Promise<MachineInDirectory> {
	const machine = await MachineInDirectory.make(directory, {
		flavour: 'bitmaps',
		identity: 'machine-1',
		name: 'a machine',
		config: {},
		leftOut: [],
		disks: [
			{ key: 'disk-0', sizeBytes: 20 * block },
			{ key: 'disk-1', sizeBytes: 2 * block },
		],
	});
	await machine.write('disk-0', 2 * block, noise(16 * block, 1));
	return machine;
}

export class ImportInstallation {
	readonly home: string;
	readonly machine: MachineInDirectory;
	readonly places: ImportPlaces;

	private constructor(home: string, machine: MachineInDirectory, places: ImportPlaces) {
		this.home = home;
		this.machine = machine;
		this.places = places;
	}

	static async make(t: TestContext): Promise<ImportInstallation> {
		const directory = await temporaryDirectory(t);
		const home = join(directory, 'home');
		await mkdir(home, { mode: 0o700 });
		const made = await initRepository(join(directory, 'repository'), { chunkSizeBytes: block });
		await made.store.close();
		const machine = await makeSimulatedMachine(join(directory, 'machine'));
		await writeFile(join(home, 'config.yaml'), configText(made.location, machine.files.directory));
		await writeFile(join(home, 'credential'), `${secret}\n`);
		await chmod(join(home, 'credential'), 0o600);
		return new ImportInstallation(home, machine, { source: 'web', repository: made.location, repositoryId: made.id });
	}

	wish(): { importId: string; machine: string } {
		return { importId: randomUUID(), machine: 'web01' };
	}

	fails(...faults: Fault[]): Promise<void> {
		return new Faults(this.machine.files.faults).set(faults);
	}

	async points(): Promise<string[]> {
		const repository = await openRepository(this.places.repository);
		try {
			return (await collect(readPoints(repository, 'web01'))).map(({ time }) => time);
		} finally {
			await repository.store.close();
		}
	}

	async tagsLeft(): Promise<string[]> {
		const left = new SimulatedMachineSource(this.machine.files.directory).leftovers(undefined);
		return [...new Set((await collect(left)).map(({ tag }) => tag))];
	}

	/** Bytes that were read for this tag. */
	async readBytes(tag: string): Promise<number> {
		const lines = (await readFile(this.machine.files.reads, 'utf8')).split('\n');
		const reads = lines.filter(line => line.startsWith(tag)).map(line => Number(line.split(' ')[3]));
		return reads.reduce((sum, bytes) => sum + bytes, 0);
	}
}

export function configText(repository: string, machine: string): string {
	return [
		`repositories: {main: ${JSON.stringify(repository)}}`,
		'defaultRepository: main',
		'credentials: {platform: {file: credential}}',
		`sources: {web: {uri: ${JSON.stringify(`simulated://${encodeURI(machine)}`)}, credential: platform, machine: web01}}`,
		'',
	].join('\n');
}
