import type { DiskImage } from '../../model/chunk.ts';
import { pageMapOf } from '../format/page-map.ts';
import { chunkRefBytes } from '../format/reference.ts';
import type { ChunkStorer, PreparedChunk, WantedChunk } from './chunk-storer.ts';
import { DiskDraft } from './disk-draft.ts';
import { type DiskPart, DiskParts, type PartsOfDisk } from './disk-parts.ts';
import type { DiskSource } from './disk-source.ts';
import type { ImportJournal } from './journal.ts';
import { mapOrdered } from './map-ordered.ts';
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
	known: PartsOfDisk['known'];
	base: PartsOfDisk['base'];
	threads: SegmentThreads;
	signal: AbortSignal;
	/** What went wrong and keeps nothing from being imported, for people. */
	warn: (text: string) => void;
	/** Bytes of the disk that are dealt with, zero parts included. */
	onProgress: (doneBytes: number) => void;
}

/** A part whose chunks only have to be put down. */
type PreparedPart =
	| Exclude<DiskPart, { kind: 'read' }>
	/** The slab is given back when all chunks are stored. */
	| { kind: 'read'; segment: Segment; slab: SegmentSlab; chunks: readonly (PreparedChunk | undefined)[] };

/** What waits for a pack to be full, up to 65,536 chunks: with more the pack is finished as it is, so that the journal can tell of it. */
const maxWaitingBytes = 65_536 * chunkRefBytes;

const nothingTold: PartsOfDisk['journal'] = {
	recall: async () => undefined,
	nextReference: async (_disk, from, count) => from + count,
};

/** Stores a disk's chunks and pages; the image is true once both storers are flushed. */
export async function importDisk(work: DiskImport): Promise<DiskImage> {
	const { disk, source, chunkSizeBytes, frameSizeBytes, data, pages, journal, threads, signal } = work;
	const { sizeBytes, baseDisk, missing } = source;
	const map = pageMapOf({ sizeBytes, chunkSizeBytes });
	const chunksPerRead = threads.shape.chunks;
	const draft = new DiskDraft(map, frameSizeBytes, async (page, level, number) =>
		pages.store(await pages.prepare(page, { disk, height: level + 1, number })),
	);
	// What proves a disk that is read in order comes at its end: the attempt that read what was told did not come so far.
	const told = source.access === 'sequential' ? nothingTold : journal;
	const parts = new DiskParts({ ...work, journal: told, map, chunksPerRead, baseDisk });
	const inOrder = parts.of(segmentsOf(source.extents(signal), map, chunksPerRead));
	// A segment has all the memory that it needs from its beginning on, so none waits for one behind it.
	const prepared = mapOrdered(inOrder, threads.slabs, async (part): Promise<PreparedPart> => {
		signal.throwIfAborted();
		if (part.kind !== 'read') return part;
		const { segment } = part;
		const slab = threads.take();
		await source.read(segment.offsetBytes, slab.input.subarray(0, segment.lengthBytes), signal);
		return { kind: 'read', segment, slab, chunks: await prepareSegment(work, segment, slab) };
	});
	for await (const part of prepared) {
		const { firstIndex, count, offsetBytes, lengthBytes } = part.segment;
		if (part.kind === 'base') {
			await journal.addBase(disk, firstIndex, count, part.baseDisk);
			if (part.page !== undefined) await draft.addOfPage(part.page, firstIndex, count);
		} else {
			await putDown(work, draft, part);
			if (part.kind === 'read') threads.giveBack(part.slab);
		}
		if (journal.waitingBytes > maxWaitingBytes) await data.flush();
		work.onProgress(offsetBytes + lengthBytes);
	}
	for (const warning of parts.warnings) work.warn(warning);
	await journal.endDisk(disk);
	work.onProgress(sizeBytes);
	return { ...(await draft.finish()), ...(missing ? { missing } : {}) };
}

/** Chunks that were read, or told by an earlier attempt. */
async function putDown(
	{ disk, data, journal }: DiskImport,
	draft: DiskDraft,
	part: Exclude<PreparedPart, { kind: 'base' }>,
): Promise<void> {
	for (const [position, chunk] of (part.kind === 'told' ? part.entries : part.chunks).entries()) {
		if (chunk === undefined || chunk === 'zero') continue;
		const index = part.segment.firstIndex + position;
		const ref = 'packId' in chunk ? chunk : await data.store(chunk);
		await journal.add(disk, index, ref, data.isOpen(ref.packId));
		await draft.add(index, ref);
	}
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
