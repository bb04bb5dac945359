import type { ChunkRef } from '../../model/chunk.ts';
import { RouseError } from '../../model/errors.ts';
import { isDamage } from '../damage.ts';
import type { DiskReader } from '../disk-reader.ts';
import { listPoints } from '../points.ts';
import { readOrDamage } from '../read-points.ts';
import type { Repository } from '../repository.ts';
import type { VerifiedChunks } from '../verified-chunks.ts';
import type { ChunkPosition } from './chunk-storer.ts';
import { type ImportBase, maxDamagedPages, readerOfBase } from './import-base.ts';
import type { ImportPlan } from './import-request.ts';

/**
 * The import's base where a disk has one there, else the machine's latest point that can be read, position by position: what did
 * not change since then is found there without an index, and with the place that its pages have.
 */
export class BasePoint {
	/** By their numbers in the import. */
	#disks: readonly (DiskReader | undefined)[];
	readonly #damage = new Set<RouseError>();

	private constructor(disks: readonly (DiskReader | undefined)[]) {
		this.#disks = disks;
	}

	/** One without disks when there is no such point. Only disks with the repository's sizes of chunk and frame are compared. */
	static async open(
		{ repository, machine, sources }: Pick<ImportPlan, 'repository' | 'machine' | 'sources'>,
		chunks: VerifiedChunks,
		base: ImportBase,
		signal?: AbortSignal,
	): Promise<BasePoint> {
		const inBase = sources.map(({ baseDisk }) => (baseDisk === undefined ? undefined : base.reader(baseDisk)));
		if (inBase.every(reader => reader !== undefined)) return new BasePoint(inBase);
		const latest = await latestDisks(repository, chunks, machine, signal);
		return new BasePoint(inBase.map((reader, disk) => reader ?? latest[disk]));
	}

	/** What stands at this position when it has the digest; a page of the base that is damaged knows nothing. */
	async find(
		digest: Buffer,
		{ disk, height, number }: ChunkPosition,
		signal?: AbortSignal,
	): Promise<ChunkRef | undefined> {
		const reader = this.#disks[disk];
		if (reader === undefined) return undefined;
		try {
			const entry = await reader.entryAt({ height, number }, { signal });
			return entry !== undefined && entry !== 'zero' && entry.digest === digest.toString('hex') ? entry : undefined;
		} catch (error) {
			if (!isDamage(error)) throw error;
			this.#noteDamage(error);
			return undefined;
		}
	}

	/** The same page is the same error: the readers remember it. */
	#noteDamage(error: RouseError): void {
		this.#damage.add(error);
		if (this.#damage.size >= maxDamagedPages) this.#disks = [];
	}
}

async function latestDisks(
	repository: Repository,
	chunks: VerifiedChunks,
	machine: string,
	signal: AbortSignal | undefined,
): Promise<(DiskReader | undefined)[]> {
	const { chunkSizeBytes, frameSizeBytes } = repository;
	for (const time of (await listPoints(repository, machine, signal)).toReversed()) {
		const point = await readOrDamage(repository, machine, time, signal);
		// One that cannot be read helps nobody, and keeps nothing from being imported.
		if (point === undefined || point instanceof RouseError) continue;
		return point.manifest.disks.map(image =>
			image.chunkSizeBytes === chunkSizeBytes && image.frameSizeBytes === frameSizeBytes
				? readerOfBase(chunks, image)
				: undefined,
		);
	}
	return [];
}
