import type { ChunkRef, DiskImage } from '../../model/chunk.ts';
import { ContentDigester } from '../content-digester.ts';
import { chunkRawBytes, pageMapOf } from '../format/page-map.ts';
import type { PageEntry } from '../format/reference.ts';
import type { ChunkStorer, PreparedChunk, WantedChunk } from './chunk-storer.ts';
import type { DiskSource } from './disk-source.ts';
import type { ImportBase } from './import-base.ts';
import type { ImportJournal } from './journal.ts';
import type { RepositoryChunks } from './known-chunks.ts';
import { mapOrdered } from './map-ordered.ts';
import { PageTreeWriter } from './page-tree-writer.ts';
import { recalledSegments } from './recalled-segments.ts';
import type { SegmentSlab } from './segment-slab.ts';
import type { SegmentThreads } from './segment-threads.ts';
import { type Segment, segmentsOf } from './segments.ts';

export interface DiskImport {
	/** Its number. */
	disk: number;
	source: DiskSource;
	chunkSizeBytes: number;
	frameSizeBytes: number;
	data: ChunkStorer;
	pages: ChunkStorer;
	journal: ImportJournal;
	known: Pick<RepositoryChunks, 'isUsable'>;
	base: Pick<ImportBase, 'disk'>;
	threads: SegmentThreads;
	signal: AbortSignal;
	/** Bytes of the disk that are dealt with, zero parts included. */
	onProgress: (doneBytes: number) => void;
}

interface PreparedSegment {
	segment: Segment;
	/** Of what was read; it is given back when all chunks are stored. */
	slab?: SegmentSlab;
	/** Undefined: all zero; a reference: what an earlier attempt has stored. */
	chunks: readonly (PreparedChunk | ChunkRef | undefined)[];
}

/** Chunks that wait for a pack to be full: with more of them it is finished as it is, so that the journal can tell of them. */
const maxWaiting = 65_536;

/** Stores a disk's chunks and pages; the image is true once both storers are flushed. */
export async function importDisk(work: DiskImport): Promise<DiskImage> {
	const { disk, source, chunkSizeBytes, frameSizeBytes, data, pages, journal, known, threads, signal } = work;
	const { sizeBytes, missing } = source;
	const map = pageMapOf({ sizeBytes, chunkSizeBytes });
	const tree = new PageTreeWriter(map, async (page, level, number) =>
		pages.store(await pages.prepare(page, { disk, height: level + 1, number })),
	);
	const content = new ContentDigester({ sizeBytes, chunkSizeBytes, frameSizeBytes });
	let dataBytes = 0;

	const { reader } = work.base.disk(source.baseDisk, sizeBytes);
	const ifUsable = async (entry: PageEntry | undefined) =>
		entry === undefined || entry === 'zero' || (await known.isUsable(entry)) ? entry : undefined;
	const recall = async (index: number, isUnchanged: boolean): Promise<PageEntry | undefined> => {
		const entry = await ifUsable(await journal.recall(disk, index));
		if (entry !== undefined || !isUnchanged || reader === undefined) return entry;
		return ifUsable(await reader.lookup(index, { signal }));
	};
	const segments = recalledSegments(segmentsOf(source.extents(signal), map, threads.shape.chunks), map, recall);
	// A segment has all the memory that it needs from its beginning on, so none waits for one behind it.
	const prepared = mapOrdered(segments, threads.slabs, async ({ segment, told }): Promise<PreparedSegment> => {
		signal.throwIfAborted();
		if (told !== undefined) return { segment, chunks: told.map(entry => (entry === 'zero' ? undefined : entry)) };
		const slab = threads.take();
		await source.read(segment.offsetBytes, slab.input.subarray(0, segment.lengthBytes), signal);
		return { segment, slab, chunks: await prepareSegment(work, segment, slab) };
	});
	for await (const { segment, slab, chunks } of prepared) {
		for (const [position, chunk] of chunks.entries()) {
			if (chunk === undefined) continue;
			const index = segment.firstIndex + position;
			const ref = 'packId' in chunk ? chunk : await data.store(chunk);
			await journal.add(disk, index, ref, data.isOpen(ref.packId));
			await tree.add(index, ref);
			content.add(index, ref.digest);
			dataBytes += chunkRawBytes(map, index);
		}
		if (slab !== undefined) threads.giveBack(slab);
		if (journal.waiting > maxWaiting) await data.flush();
		work.onProgress(segment.offsetBytes + segment.lengthBytes);
	}
	await journal.endDisk(disk);
	work.onProgress(sizeBytes);
	const root = await tree.finish();
	const optional = { ...(root ? { root } : {}), ...(missing ? { missing } : {}) };
	return { sizeBytes, chunkSizeBytes, frameSizeBytes, contentDigest: content.finish(), dataBytes, ...optional };
}

/** What was read: digests, look-ups, and what is new encoded. Undefined for chunks that are zero. */
async function prepareSegment(
	{ disk, data, threads }: DiskImport,
	{ firstIndex, count, lengthBytes }: Segment,
	slab: SegmentSlab,
): Promise<(PreparedChunk | undefined)[]> {
	await threads.digest(slab, lengthBytes);
	const wanted: WantedChunk[] = [];
	for (let position = 0; position < count; position++) {
		const digested = slab.digested(position, lengthBytes);
		if (digested === undefined) continue;
		const { digest, raw } = digested;
		wanted.push({ digest, rawBytes: raw.length, position: { disk, height: 0, number: firstIndex + position } });
	}
	const chunks = Array.from({ length: count }, (): PreparedChunk | undefined => undefined);
	const prepared = await data.prepareAll(wanted, async missing => {
		const fresh = missing.map(({ position }) => position.number - firstIndex);
		await threads.encode(slab, lengthBytes, fresh);
		return fresh.map(position => slab.stored(position));
	});
	for (const [number, { position }] of wanted.entries()) chunks[position.number - firstIndex] = prepared[number];
	return chunks;
}
