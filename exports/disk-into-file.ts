import type { FileHandle } from 'node:fs/promises';
import { copyBatchBytes, type CopyThreads } from '../repository/copy/copy-threads.ts';
import { inLanes } from '../repository/copy/in-lanes.ts';
import { Slots } from '../system/slots.ts';
import type { DiskReader } from '../repository/disk-reader.ts';
import { pageEntries } from '../repository/format/page-map.ts';
import type { VerifiedChunks, WantedChunk } from '../repository/verified-chunks.ts';
import { type ExportOptions, writeWhole } from './new-file.ts';
import { SyncBehind } from './sync-behind.ts';

/** A part of a run of the disk's bytes that lies in one piece in the file. */
export interface FilePlace {
	fileAtBytes: number;
	lengthBytes: number;
}

/** Where a run of the disk's bytes belongs, in order. Asked for one run after the other, in the order of the disk. */
export type PlacesOf = (
	offsetBytes: number,
	lengthBytes: number,
) => readonly FilePlace[] | Promise<readonly FilePlace[]>;

interface PlacedChunk extends WantedChunk {
	places: readonly FilePlace[];
}

/** Chunks of a run of the disk, zero ones left out. */
interface Batch {
	chunks: readonly PlacedChunk[];
	diskBytes: number;
}

/**
 * Writes what a disk holds beside zeros into a file. Each chunk was compared with its digest. Throws what reading throws: what is
 * damaged is not left out. When it settles nobody writes the file any more.
 */
export async function writeDisk(
	file: FileHandle,
	chunks: VerifiedChunks,
	reader: DiskReader,
	placesOf: PlacesOf,
	{ signal: stop, progress, threads: offered }: ExportOptions,
): Promise<void> {
	const { sizeBytes, dataBytes, chunkSizeBytes } = reader.image;
	const threads = offered !== undefined && dataBytes > offered.aboveBytes ? offered.threads : undefined;
	const failed = new AbortController();
	const signal = stop ? AbortSignal.any([stop, failed.signal]) : failed.signal;
	// Without threads by leaf: a fetch reads ahead, but not beyond its end.
	const perBatch = threads ? Math.max(1, Math.floor(copyBatchBytes / chunkSizeBytes)) : pageEntries;
	const slow = new Slots(1);
	const behind = new SyncBehind(file);
	let doneBytes = 0;
	const lanes = threads?.lanes(perBatch * chunkSizeBytes) ?? 1;
	await inLanes(batchesOf(reader, placesOf, perBatch, signal), lanes, failed, async batch => {
		const left = threads ? await copyByThreads(file, threads, batch.chunks, signal) : batch.chunks;
		if (left.length > 0) await slow.use(() => fetchAndWrite(file, chunks, left, signal));
		behind.wrote(batch.chunks.reduce((sum, { rawBytes }) => sum + rawBytes, 0));
		doneBytes = Math.min(sizeBytes, doneBytes + batch.diskBytes);
		progress?.({ doneBytes, totalBytes: sizeBytes });
	});
	await behind.end();
}

async function* batchesOf(
	reader: DiskReader,
	placesOf: PlacesOf,
	perBatch: number,
	signal: AbortSignal,
): AsyncGenerator<Batch> {
	const { chunkSizeBytes } = reader.image;
	for await (const { firstIndex, count, page } of reader.leaves({ signal })) {
		if (page === undefined) {
			yield { chunks: [], diskBytes: count * chunkSizeBytes };
			continue;
		}
		for (let from = firstIndex; from < firstIndex + count; from += perBatch) {
			const to = Math.min(firstIndex + count, from + perBatch);
			const chunks: PlacedChunk[] = [];
			for (let index = from; index < to; index++) {
				const ref = page.entry(index % pageEntries);
				if (ref === 'zero') continue;
				const wanted = reader.wanted(index, ref);
				chunks.push({ ...wanted, places: await placesOf(index * chunkSizeBytes, wanted.rawBytes) });
			}
			yield { chunks, diskBytes: (to - from) * chunkSizeBytes };
		}
	}
}

/** Resolves to what is left. */
async function copyByThreads(
	file: FileHandle,
	threads: CopyThreads,
	wanted: readonly PlacedChunk[],
	signal: AbortSignal,
): Promise<readonly PlacedChunk[]> {
	const whole = wanted.filter(({ places }) => places.length === 1);
	if (whole.length === 0) return wanted;
	const job = {
		fd: file.fd,
		refs: whole.map(({ ref }) => ref),
		rawBytes: whole.map(({ rawBytes }) => rawBytes),
		atBytes: whole.map(({ places: [place] }) => place?.fileAtBytes ?? 0),
	};
	const { written } = await threads.copy(job, signal);
	signal.throwIfAborted();
	const done = new Set(written.map(position => whole[position]));
	return wanted.filter(chunk => !done.has(chunk));
}

async function fetchAndWrite(
	file: FileHandle,
	chunks: VerifiedChunks,
	wanted: readonly PlacedChunk[],
	signal: AbortSignal,
): Promise<void> {
	for await (const { wanted: chunk, bytes, damage } of chunks.fetch(wanted, { class: 'migration', signal })) {
		if (damage !== undefined) throw damage;
		let done = 0;
		for (const { fileAtBytes, lengthBytes } of chunk.places) {
			await writeWhole(file, bytes.subarray(done, done + lengthBytes), fileAtBytes);
			done += lengthBytes;
		}
	}
}
