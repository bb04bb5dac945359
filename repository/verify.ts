import type { ChunkRef, DiskImage } from '../model/chunk.ts';
import { DiskReader } from './disk-reader.ts';
import { diskChunks } from './disk-chunks.ts';
import { DirectChunkSource } from './direct-chunk-source.ts';
import { keys } from './format/keys.ts';
import { lostBytes } from './damage.ts';
import { readPackFooter } from './pack-footers.ts';
import { ContentDigester } from './content-digester.ts';
import type { ChunkSource, StoredChunk } from './chunk-source.ts';
import type { RestorePoint } from './points.ts';
import type { Repository } from './repository.ts';
import type { Store } from './store/contract.ts';
import { VerifiedChunks } from './verified-chunks.ts';

/** A chunk or a page that cannot be read, or a disk whose content is not the one the manifest names. */
export interface Damage {
	disk: number;
	kind: 'chunk' | 'page' | 'content';
	/** First chunk concerned, and how many. */
	index: number;
	count: number;
	digest?: string;
	packId?: string;
	offsetBytes?: number;
	code: string;
	reason: string;
}

/** A pack that this point uses, and whose list of chunks cannot be read: they are found by their places alone. */
export interface DamagedFooter {
	packId: string;
	code: string;
	reason: string;
}

export interface VerifyResult {
	machine: string;
	restorePoint: string;
	/** Chunks that were read and matched their digests. */
	chunks: number;
	/** Their bytes. */
	verifiedBytes: number;
	damaged: Damage[];
	damagedFooters: DamagedFooter[];
	durationMs: number;
}

export interface VerifyProgress {
	disk: number;
	doneBytes: number;
	totalBytes: number;
	damaged: number;
}

/**
 * Reads every page and every chunk of a restore point, and the footers of their packs, and compares digests. Damage is collected, not thrown: the answer
 * is the whole list. Throws only what keeps it from looking: `store_unreachable`, the signal's reason.
 */
export async function verifyPoint(
	repository: Repository,
	{ manifest }: RestorePoint,
	options: { signal?: AbortSignal | undefined; progress?: ((progress: VerifyProgress) => void) | undefined } = {},
): Promise<VerifyResult> {
	const startedAt = performance.now();
	const result = { chunks: 0, verifiedBytes: 0, damaged: [] as Damage[] };
	const packs = new UsedPacks(new DirectChunkSource(repository.store));
	try {
		const chunks = new VerifiedChunks(packs);
		for (const [disk, image] of manifest.disks.entries()) await verifyDisk(chunks, image, disk, result, options);
	} finally {
		await packs.close();
	}
	const damagedFooters = await verifyFooters(repository.store, packs.packIds, options.signal);
	const durationMs = Math.round(performance.now() - startedAt);
	return { machine: manifest.machine, restorePoint: manifest.time, ...result, damagedFooters, durationMs };
}

/** Notes which packs are read from. */
class UsedPacks implements ChunkSource {
	readonly #source: ChunkSource;
	readonly packIds = new Set<string>();

	constructor(source: ChunkSource) {
		this.#source = source;
	}

	fetch(...[refs, options]: Parameters<ChunkSource['fetch']>): AsyncIterable<StoredChunk> {
		for (const { packId } of refs) this.packIds.add(packId);
		return this.#source.fetch(refs, options);
	}

	close(): Promise<void> {
		return this.#source.close();
	}
}

async function verifyFooters(
	store: Store,
	packIds: ReadonlySet<string>,
	signal: AbortSignal | undefined,
): Promise<DamagedFooter[]> {
	const damaged: DamagedFooter[] = [];
	for (const packId of packIds)
		try {
			const sizeBytes = await store.size(keys.pack(packId), signal);
			// One that is gone is told by its chunks, unless others have them.
			if (sizeBytes !== undefined) await readPackFooter(store, { packId, sizeBytes }, signal);
		} catch (error) {
			const { code, message: reason } = lostBytes(error);
			damaged.push({ packId, code, reason });
		}
	return damaged;
}

async function verifyDisk(
	verified: VerifiedChunks,
	image: DiskImage,
	disk: number,
	result: Pick<VerifyResult, 'chunks' | 'verifiedBytes' | 'damaged'>,
	{
		signal,
		progress,
	}: { signal?: AbortSignal | undefined; progress?: ((progress: VerifyProgress) => void) | undefined },
): Promise<void> {
	const reader = new DiskReader(verified, image, { class: 'migration' });
	const content = new ContentDigester(image);
	const before = result.damaged.length;
	const chunks = diskChunks(verified, reader, {
		class: 'migration',
		signal,
		onDamagedChunk: ({ index, ref, error: { code, message } }) =>
			result.damaged.push({ disk, kind: 'chunk', index, count: 1, ...placeOf(ref), code, reason: message }),
		onDamagedPage: ({ firstIndex, count, ref, error: { code, message } }) =>
			result.damaged.push({ disk, kind: 'page', index: firstIndex, count, ...placeOf(ref), code, reason: message }),
		onLeaf: ({ firstIndex, count }) => {
			const doneBytes = Math.min(image.sizeBytes, (firstIndex + count) * image.chunkSizeBytes);
			progress?.({ disk, doneBytes, totalBytes: image.sizeBytes, damaged: result.damaged.length });
		},
	});
	for await (const { index, ref, bytes } of chunks) {
		content.add(index, ref.digest);
		result.chunks++;
		result.verifiedBytes += bytes.length;
	}
	// With damage above the sum cannot be right, and says nothing new.
	if (result.damaged.length > before) return;
	const found = content.finish();
	if (found !== image.contentDigest)
		result.damaged.push({
			disk,
			kind: 'content',
			index: 0,
			count: reader.chunkCount,
			code: 'format_damaged',
			reason: `the disk's content has the digest ${found}, the manifest names ${image.contentDigest}`,
		});
}

function placeOf({ digest, packId, offsetBytes }: ChunkRef): Pick<Damage, 'digest' | 'packId' | 'offsetBytes'> {
	return { digest, packId, offsetBytes };
}
