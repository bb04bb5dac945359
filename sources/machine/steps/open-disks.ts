import { BadPlaces } from '../../../repository/bad-places.ts';
import { DirectChunkSource } from '../../../repository/direct-chunk-source.ts';
import type { DiskSource } from '../../../repository/import/disk-source.ts';
import { readOrDamage } from '../../../repository/read-points.ts';
import type { Repository } from '../../../repository/repository.ts';
import { type StoredDisk, StoredDiskReader } from '../../../repository/stored-disk.ts';
import { VerifiedChunks } from '../../../repository/verified-chunks.ts';
import { RouseError } from '../../../model/errors.ts';
import type { MachineSource } from '../contract.ts';
import type { SourceMoment } from '../documents.ts';
import type { DiskReads, ImportOrder } from '../order.ts';
import type { StepPlaces } from './places.ts';

/** The disks of a moment, in their order. */
export interface OpenedDisks {
	sources: DiskSource[];
	reads: DiskReads[];
}

interface WithoutBase {
	/** Keys of disks of which it was found that nobody knows any more what changed. */
	lost: ReadonlySet<string>;
	onLost: (key: string) => void;
}

/** Opens all disks of a moment, those that have one with their base. When one cannot be opened none stays open. */
export async function openDisks(
	{ source, repository, signal }: StepPlaces,
	{ order, moment }: { order: ImportOrder; moment: SourceMoment },
	{ lost, onLost }: WithoutBase,
): Promise<OpenedDisks> {
	const bases = await baseDisks(repository, order, signal);
	const opened: OpenedDisks = { sources: [], reads: [] };
	try {
		for (const [number, { key, sizeBytes }] of moment.disks.entries()) {
			const base = lost.has(key) ? undefined : bases[number];
			const disk = await openDisk(source, { moment, key, base: base?.disk }, signal);
			opened.sources.push(ofMachine(disk.source, base?.number, () => onLost(key)));
			const why = lost.has(key) ? 'its platform has lost what it knew of its changes' : order.plan.disks[number]?.why;
			opened.reads.push({ reads: disk.reads, why: disk.reads === 'changes' ? null : (why ?? disk.why) });
			if (disk.source.sizeBytes !== sizeBytes)
				throw new RouseError(
					'source_changed',
					`disk ${key} has ${disk.source.sizeBytes} bytes, not ${sizeBytes} any more`,
				);
		}
		return opened;
	} catch (error) {
		await closeDisks(opened);
		throw error;
	}
}

export async function closeDisks({ sources }: OpenedDisks): Promise<void> {
	await Promise.all(sources.map(source => source.close()));
}

async function openDisk(
	source: MachineSource,
	{ moment, key, base }: { moment: SourceMoment; key: string; base: StoredDisk | undefined },
	signal: AbortSignal,
) {
	const disk = await source.open(moment, key, { base }, signal);
	if (base !== undefined || disk.reads === 'all') return disk;
	await disk.source.close();
	throw new RouseError('source_invalid', `disk ${key} was opened without a base, and would be read by its changes`);
}

interface BaseDisk {
	number: number;
	disk: StoredDisk;
}

/** By the disks' numbers. A base that is gone meanwhile, or cannot be read, is none. */
async function baseDisks(
	repository: Repository,
	{ machine, base }: ImportOrder,
	signal: AbortSignal,
): Promise<(BaseDisk | undefined)[]> {
	if (base === null) return [];
	const point = await readOrDamage(repository, machine, base.restorePoint, signal);
	if (point === undefined || point instanceof RouseError || point.manifestDigest !== base.manifestDigest) return [];
	const bad = await BadPlaces.load(repository.store, signal);
	const chunks = new VerifiedChunks(new DirectChunkSource(repository.store, undefined, bad));
	return base.disks.map(number => {
		const image = number === null ? undefined : point.manifest.disks[number];
		return number === null || image === undefined ? undefined : { number, disk: new StoredDiskReader(chunks, image) };
	});
}

/** Says which disk of the base it is, and which one has lost what was known of its changes. */
function ofMachine(source: DiskSource, baseDisk: number | undefined, onLost: () => void): DiskSource {
	return {
		sizeBytes: source.sizeBytes,
		baseDisk,
		async *extents(signal, onListed) {
			try {
				yield* source.extents(signal, onListed);
			} catch (error) {
				if (error instanceof RouseError && error.code === 'checkpoint_lost') onLost();
				throw error;
			}
		},
		read: (offsetBytes, into, signal) => source.read(offsetBytes, into, signal),
		access: source.access,
		checkUnchanged: async signal => source.checkUnchanged?.(signal),
		missing: source.missing,
		close: () => source.close(),
	};
}
