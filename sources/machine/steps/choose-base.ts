import type { DiskImage } from '../../../model/chunk.ts';
import { listPoints } from '../../../repository/points.ts';
import type { Repository } from '../../../repository/repository.ts';
import type { SourceMachine, Since } from '../documents.ts';
import type { ImportOrder } from '../order.ts';
import { type PointOfSource, pointsOfSource } from './points-of-source.ts';

/** A base, and of each disk that has none there, why. */
export interface ChosenBase {
	base: NonNullable<ImportOrder['base']>;
	since: Since;
	/** For each disk of the machine; null where the base has it. */
	why: (string | null)[];
}

/** Older ones are no help: what is kept on the platform is the latest one's. */
const mostPoints = 4;

/** The latest point that came from this very machine and says by what its platform knows what changed since; or why there is none. */
export async function chooseBase(
	repository: Repository,
	machine: string,
	described: SourceMachine,
	signal: AbortSignal,
): Promise<ChosenBase | string> {
	const { kind, identity } = described;
	if ((await listPoints(repository, machine, signal)).length === 0) return 'it has no restore point yet';
	let why = `none of its latest points came from ${kind} ${identity} with a checkpoint`.slice(0, 200);
	for await (const found of pointsOfSource(repository, { machine, kind, identity, most: mostPoints }, signal)) {
		const disks = disksOf(found);
		if (disks === undefined) {
			why = `${found.point.manifest.time} tells of other disks than it has`;
			continue;
		}
		const compared = described.disks.map(disk => compare(disk, disks, repository));
		const { manifest, manifestDigest } = found.point;
		return {
			base: {
				restorePoint: manifest.time,
				manifestDigest,
				disks: compared.map(one => (typeof one === 'number' ? one : null)),
			},
			since: { tag: manifest.importId, checkpoint: found.checkpoint },
			why: compared.map(one => (typeof one === 'number' ? null : one)),
		};
	}
	return why;
}

interface BaseDisk {
	number: number;
	image: DiskImage;
}

/** By key. Undefined when the facts do not fit the point that they stand in: then nothing of them is believed. */
function disksOf({ point, facts }: PointOfSource): Map<string, BaseDisk> | undefined {
	const { disks } = point.manifest;
	const found = new Map<string, BaseDisk>();
	for (const [number, { key, sizeBytes }] of facts.disks.entries()) {
		const image = disks[number];
		if (image?.sizeBytes !== sizeBytes) return undefined;
		found.set(key, { number, image });
	}
	return found.size === disks.length ? found : undefined;
}

/** Its number in the base, or why it has none. */
function compare(
	{ key, sizeBytes }: SourceMachine['disks'][number],
	disks: ReadonlyMap<string, BaseDisk>,
	{ chunkSizeBytes, frameSizeBytes }: Repository,
): number | string {
	const found = disks.get(key);
	if (found === undefined) return 'it is new since the last point';
	const { number, image } = found;
	if (image.sizeBytes !== sizeBytes) return `it had ${image.sizeBytes} bytes and has ${sizeBytes}`;
	if (image.missing !== undefined) return 'the last point has only a part of it';
	if (image.chunkSizeBytes !== chunkSizeBytes || image.frameSizeBytes !== frameSizeBytes)
		return 'the last point has it in chunks or frames of another size';
	return number;
}
