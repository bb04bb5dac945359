import { mkdir, open } from 'node:fs/promises';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { rm } from 'node:fs/promises';
import type { MachineDefinition, Target } from '../../hypervisors/contract.ts';
import { createLog } from '../../system/log.ts';
import { wholeSectors } from '../../model/chunk-bounds.ts';
import { createRestoredMap } from '../../movers/restored-map/create.ts';
import { restoredMapIdentity } from '../../movers/restored-map/identity.ts';
import { readRestoredSummary } from '../../movers/restored-map/reader.ts';
import { recoveryPlaces } from '../../supervisor/files/places.ts';
import type { RecoveryMoversOf } from '../../supervisor/movers/movers.ts';
import { SimulatedMovers, type SimulatedMoversOptions } from '../../supervisor/simulated/movers.ts';
import { benchConfig, fastDirectory } from './simulated-bench.ts';
import { sampleDisk, storeDisk, type StoredDisk } from './stored-disk.ts';

/** Not at its file's beginning, as on a platform whose targets have headers. */
const offsetBytes = 1024 * 1024;

export interface SimulatedCopy {
	movers: SimulatedMovers;
	of: RecoveryMoversOf;
	stored: StoredDisk;
	/** Reads as the platform does for its guest. */
	read(offsetBytes: number, lengthBytes: number, signal?: AbortSignal): Promise<Buffer>;
	/** The disk as its target holds it. */
	target(): Promise<Buffer>;
	restored(): Promise<{ complete: boolean; restoredBytes: number }>;
}

/** A stored disk of 3 MiB and a bit, a target and a map for it, and movers that are not started yet. */
export async function simulatedCopy(
	t: { after(hook: () => Promise<unknown>): void },
	options: SimulatedMoversOptions = {},
): Promise<SimulatedCopy> {
	const directory = await fastDirectory('rouse-copy-');
	t.after(() => rm(directory, { recursive: true, force: true }));
	const stored = await storeDisk(join(directory, 'repository'), sampleDisk(3 * 1024 * 1024 + 700), {
		chunkSizeBytes: 64 * 1024,
		packBytes: 1024 * 1024,
	});
	const recoveryId = randomUUID();
	const places = recoveryPlaces({ home: directory, runDirectory: join(directory, 'run') }, 'r1', recoveryId);
	await mkdir(places.directory, { recursive: true });
	const target: Target = {
		identity: `disk-${recoveryId}`,
		path: join(directory, 'target'),
		offsetBytes,
		readsZero: true,
	};
	const sizeBytes = wholeSectors(stored.image.sizeBytes);
	const file = await open(target.path, 'wx');
	await file.truncate(offsetBytes + sizeBytes);
	await file.close();
	const mapPath = places.map('disk0');
	const identity = restoredMapIdentity(recoveryId, stored.image, target.identity);
	await createRestoredMap(mapPath, identity, { targetReadsZero: true });
	const movers = new SimulatedMovers({ log: createLog('simulated', { level: 'silent' }), ...options });
	const of: RecoveryMoversOf = {
		recoveryId,
		repository: stored.directory,
		places,
		disks: [{ name: 'disk0', image: stored.image, mapPath }],
		targets: async () => [target],
	};
	const definition: MachineDefinition = {
		recoveryId,
		machineName: 'r1',
		config: benchConfig,
		hardware: {},
		nics: [],
		disks: [{ name: 'disk0', sizeBytes, exports: { now: '', wait: '' } }],
		allocate: 'thin',
		directory: places.directory,
		runDirectory: places.runDirectory,
		nbdSocket: places.nbdSocket,
	};
	return {
		movers,
		of,
		stored,
		read: async (offset, length, signal = new AbortController().signal) => {
			const into = Buffer.alloc(length, 0xee);
			await movers.readBase(definition, 0, offset, into, signal);
			return into;
		},
		target: async () => {
			const reading = await open(target.path, 'r');
			const { buffer } = await reading.read(Buffer.alloc(sizeBytes), 0, sizeBytes, offsetBytes);
			await reading.close();
			return buffer;
		},
		restored: () => readRestoredSummary(mapPath, identity),
	};
}

/** As the machine sees it: in whole sectors. */
export function asServed({ bytes }: StoredDisk): Buffer {
	return Buffer.concat([bytes, Buffer.alloc(wholeSectors(bytes.length) - bytes.length)]);
}
