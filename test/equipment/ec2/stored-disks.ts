import { DirectChunkSource } from '../../../repository/direct-chunk-source.ts';
import { readPoint } from '../../../repository/points.ts';
import type { Repository } from '../../../repository/repository.ts';
import { StoredDiskReader } from '../../../repository/stored-disk.ts';
import { VerifiedChunks } from '../../../repository/verified-chunks.ts';

/** What the disks of a point hold, each of them whole or the first so many bytes of it. */
export async function readStoredDisks(
	repository: Repository,
	machine: string,
	time: string,
	mostBytes = Number.MAX_SAFE_INTEGER,
): Promise<Buffer[]> {
	const { manifest } = await readPoint(repository, machine, time);
	const chunks = new VerifiedChunks(new DirectChunkSource(repository.store));
	const disks: Buffer[] = [];
	for (const image of manifest.disks) {
		const bytes = Buffer.alloc(Math.min(image.sizeBytes, mostBytes));
		await new StoredDiskReader(chunks, image).read(0, bytes, new AbortController().signal);
		disks.push(bytes);
	}
	return disks;
}
