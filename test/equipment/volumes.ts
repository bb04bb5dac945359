import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { MoverDisk } from '../../movers/config.ts';
import { freshIds } from '../../movers/mount-mover/layout/vhdx-layout.ts';
import type { DiskSource } from '../../repository/import/disk-source.ts';
import { diskBytesInVhdx } from '../../vhdx/geometry.ts';
import { identityHeader } from '../../vhdx/identity-header.ts';
import type { FileExtent, VolumeDescription, VolumeRequest } from '../../volume/description.ts';
import { volumeRequestOf } from '../../volume/disk-files.ts';
import { ensureVolume } from '../../volume/ensure-volume.ts';
import { temporaryDirectory } from './captive.ts';
import { type MountMover, startMountMover } from './mount-movers.ts';
import { allocateTarget, type RepositoryMover, startRepositoryMover } from './movers.ts';
import { storeDisks } from './stored-disk.ts';

export const sampleGuids = {
	diskGuid: 'd1d1d1d1-0000-4000-8000-000000000001',
	partitionGuid: 'd2d2d2d2-0000-4000-8000-000000000002',
};

export function sampleVolume(...sizes: readonly number[]): VolumeRequest {
	return { ...sampleGuids, files: sizes.map((sizeBytes, number) => ({ name: `disk${number}.vhdx`, sizeBytes })) };
}

export interface ServedVolume {
	directory: string;
	volume: VolumeDescription;
	/** Serves it: another mover in the place of one that was killed. */
	start: () => Promise<MountMover>;
	mover: MountMover;
	repository: RepositoryMover;
	/** The NTFS, as a part of the volume. */
	partition: FileExtent;
	/** Of each disk: where in its VHDX it begins. */
	payloadsAt: number[];
}

/** The disks of a machine that was stored, on a volume that a mount mover serves. */
export async function serveVolume(
	t: Pick<TestContext, 'after'>,
	sources: readonly DiskSource[],
	options: { chunkSizeBytes?: number } = {},
): Promise<ServedVolume> {
	const directory = await temporaryDirectory(t);
	const images = await storeDisks(join(directory, 'repository'), sources, options);
	const disks: MoverDisk[] = [];
	for (const [number, image] of images.entries())
		disks.push(await allocateTarget(directory, image, { name: `disk${number}` }));
	const sectors = { logicalSectorBytes: 512, physicalSectorBytes: 512 } as const;
	const files = disks.map(() => ({ ids: freshIds(), sectors }));
	const ofVolume = join(directory, 'volume');
	await mkdir(ofVolume);
	const request = volumeRequestOf(
		sampleGuids,
		images.map(({ sizeBytes }) => ({ sizeBytes, sectors })),
	);
	const volume = await ensureVolume(ofVolume, request);
	const repository = await startRepositoryMover(t, directory, join(directory, 'repository'));
	const start = () => startMountMover(t, directory, disks, { volume: { directory: ofVolume, files } });
	const payloadsAt = files.map(({ ids }, number) => {
		const sizeBytes = diskBytesInVhdx(images[number]?.sizeBytes ?? 0, sectors);
		return identityHeader({ sizeBytes, ids, ...sectors }).payloadOffsetBytes;
	});
	return { directory, volume, start, repository, mover: await start(), partition: volume.partition, payloadsAt };
}

/** Of a file's content; `lengthBytes`: of no more than its beginning. */
export async function digestOfFile(path: string, lengthBytes?: number): Promise<string> {
	const hash = createHash('sha256');
	const end = lengthBytes === undefined ? undefined : lengthBytes - 1;
	for await (const piece of createReadStream(path, { end, highWaterMark: 1024 * 1024 })) hash.update(piece);
	return hash.digest('hex');
}
