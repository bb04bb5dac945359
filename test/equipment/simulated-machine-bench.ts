import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import type { MachineSource } from '../../sources/machine/contract.ts';
import type { Flavour } from '../../sources/simulated-machine/files.ts';
import { MachineInDirectory } from '../../sources/simulated-machine/machine.ts';
import { SimulatedMachineSource } from '../../sources/simulated-machine/source.ts';
import type { SourceBench } from './machine-sources/bench.ts';
import { noise } from './repositories.ts';

export interface SimulatedMachineBenchOptions {
	flavour: Flavour;
	/** For sources with a fault that the suite is to find. */
	wrap?: (source: MachineSource, machine: MachineInDirectory) => MachineSource;
}

const kib = 1024;

/** Two disks of a few blocks; the second one ends within one. */
export async function makeSimulatedMachineBench({
	flavour,
	wrap = source => source,
}: SimulatedMachineBenchOptions): Promise<SourceBench> {
	const directory = await mkdtemp(join(tmpdir(), 'rouse-test-'));
	const machine = await MachineInDirectory.make(directory, {
		flavour,
		identity: 'machine-1',
		name: 'a machine',
		config: {},
		leftOut: [],
		disks: [
			{ key: 'disk-0', sizeBytes: 384 * kib },
			{ key: 'disk-1', sizeBytes: 200 * kib + 512 },
		],
	});
	await machine.write('disk-0', 64 * kib, noise(128 * kib, 1));
	await machine.write('disk-1', 0, noise(100 * kib, 2));
	let ms = Date.parse('2026-11-20T03:00:00.000Z');
	const { files } = machine;
	return {
		open: ({ diesAt } = {}) => {
			const reached = (place: string) => {
				if (place === diesAt) throw new RouseError('interrupted', 'this process is dead');
			};
			const now = () => new Date((ms += 1000));
			return wrap(new SimulatedMachineSource(directory, { reached, now }), machine);
		},
		places: ['begin', 'begin-disk', 'begun'],
		secrets: [],
		guest: {
			write: (key, offsetBytes, bytes) => machine.write(key, offsetBytes, bytes),
			content: key => readFile(files.disk(key)),
		},
		owner: {
			addDisk: () => machine.addDisk('disk-2', 64 * kib),
			replaceMachine: () => machine.become('machine-2'),
			beBusy: () => writeFile(files.busy, ''),
		},
		fate: {
			loseCheckpoints: async () => {
				await rm(files.bitmaps, { recursive: true, force: true });
				await rm(files.sets, { recursive: true, force: true });
			},
			loseMoments: () => rm(files.sets, { recursive: true, force: true }),
		},
		dispose: () => rm(directory, { recursive: true, force: true }),
	};
}
