/** What is in a repository, read as any of our programs would. */
import { createHash, type Hash } from 'node:crypto';
import type { DiskImage } from '../../model/chunk.ts';
import { RouseError } from '../../model/errors.ts';
import { DirectChunkSource } from '../../repository/direct-chunk-source.ts';
import { diskChunks } from '../../repository/disk-chunks.ts';
import { DiskReader } from '../../repository/disk-reader.ts';
import { readPoint, resolvePoint } from '../../repository/points.ts';
import { type Repository, withRepositoryIn } from '../../repository/repository.ts';
import { VerifiedChunks } from '../../repository/verified-chunks.ts';

/** The machine whose points are measured. */
export const machine = 'bench';

/** The only disk of the latest point. */
export async function storedDisk(repository: string): Promise<DiskImage> {
	return await withRepositoryIn(repository, latestDisk);
}

/** SHA-256 of all its bytes. */
export async function sha256Stored(repository: string): Promise<string> {
	return await withRepositoryIn(repository, async ({ store, ...rest }) => {
		const image = await latestDisk({ store, ...rest });
		const chunks = new VerifiedChunks(new DirectChunkSource(store));
		const hash = createHash('sha256');
		let hashed = 0;
		for await (const { index, bytes } of diskChunks(chunks, new DiskReader(chunks, image), { class: 'migration' })) {
			const at = index * image.chunkSizeBytes;
			addZeros(hash, at - hashed);
			hash.update(bytes);
			hashed = at + bytes.length;
		}
		addZeros(hash, image.sizeBytes - hashed);
		return hash.digest('hex');
	});
}

const zeros = Buffer.alloc(2 ** 20);

function addZeros(hash: Hash, count: number): void {
	for (let left = count; left > 0; left -= zeros.length) hash.update(zeros.subarray(0, left));
}

async function latestDisk(repository: Repository): Promise<DiskImage> {
	const { manifest } = await readPoint(repository, machine, await resolvePoint(repository, machine, 'latest'));
	const [disk] = manifest.disks;
	if (disk === undefined) throw new RouseError('internal', `${repository.location}: the point has no disk`);
	return disk;
}
