import type { ChunkRef, DiskImage } from '../../model/chunk.ts';
import { ContentDigester } from '../content-digester.ts';
import { chunkRawBytes, pageMapOf } from '../format/page-map.ts';
import type { PageEntry } from '../format/reference.ts';
import type { ChunkStorer, PreparedChunk } from './chunk-storer.ts';
import type { DiskSource } from './disk-source.ts';
import type { ImportJournal } from './journal.ts';
import type { RepositoryChunks } from './known-chunks.ts';
import { mapOrdered } from './map-ordered.ts';
import { PageTreeWriter } from './page-tree-writer.ts';
import { recalledSegments } from './recalled-segments.ts';
import { type Segment, segmentsOf } from './segments.ts';

/** Large reads keep an NBD server and a disk busy with few requests. */
const readBytes = 1024 * 1024;
const readsInFlight = 4;
/** Segments in the compressor at once: eight chunks each keep libuv's pool full. */
const segmentsInFlight = 2;

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
	signal: AbortSignal;
	/** Bytes of the disk that are dealt with, zero parts included. */
	onProgress: (doneBytes: number) => void;
}

interface PreparedSegment {
	segment: Segment;
	/** Of what was read. */
	buffer?: Buffer;
	/** Undefined: all zero; a reference: what an earlier attempt has stored. */
	chunks: readonly (PreparedChunk | ChunkRef | undefined)[];
}

/** Chunks that wait for a pack to be full: with more of them it is finished as it is, so that the journal can tell of them. */
const maxWaiting = 65_536;

/** Stores a disk's chunks and pages; the image is true once both storers are flushed. */
export async function importDisk(work: DiskImport): Promise<DiskImage> {
	const { disk, source, chunkSizeBytes, frameSizeBytes, data, pages, journal, known, signal, onProgress } = work;
	const { sizeBytes, missing } = source;
	const map = pageMapOf({ sizeBytes, chunkSizeBytes });
	const chunksPerRead = Math.max(1, Math.floor(readBytes / chunkSizeBytes));
	const buffers = new BufferPool(chunksPerRead * chunkSizeBytes);
	const tree = new PageTreeWriter(map, async (page, level, number) =>
		pages.store(await pages.prepare(page, { disk, height: level + 1, number })),
	);
	const content = new ContentDigester({ sizeBytes, chunkSizeBytes, frameSizeBytes });
	let dataBytes = 0;

	const recall = async (index: number): Promise<PageEntry | undefined> => {
		const entry = await journal.recall(disk, index);
		return entry === undefined || entry === 'zero' || (await known.isUsable(entry)) ? entry : undefined;
	};
	const segments = recalledSegments(segmentsOf(source.extents(signal), map, chunksPerRead), map, recall);
	const read = mapOrdered(segments, readsInFlight, async ({ segment, told }) => {
		signal.throwIfAborted();
		if (told !== undefined) return { segment, told };
		const buffer = buffers.take();
		await source.read(segment.offsetBytes, buffer.subarray(0, segment.lengthBytes), signal);
		return { segment, buffer };
	});
	const prepared = mapOrdered(read, segmentsInFlight, async (part): Promise<PreparedSegment> => {
		const { segment, buffer, told } = part;
		if (buffer === undefined) return { segment, chunks: told.map(entry => (entry === 'zero' ? undefined : entry)) };
		const chunks = await Promise.all(
			Array.from({ length: segment.count }, async (_, position) => {
				const start = position * chunkSizeBytes;
				const number = segment.firstIndex + position;
				const raw = buffer.subarray(start, start + chunkRawBytes(map, number));
				return isZero(raw) ? undefined : data.prepare(raw, { disk, height: 0, number });
			}),
		);
		return { segment, buffer, chunks };
	});
	for await (const { segment, buffer, chunks } of prepared) {
		if (buffer !== undefined) buffers.giveBack(buffer);
		for (const [position, chunk] of chunks.entries()) {
			if (chunk === undefined) continue;
			const index = segment.firstIndex + position;
			const ref = 'packId' in chunk ? chunk : await data.store(chunk);
			await journal.add(disk, index, ref, data.isOpen(ref.packId));
			await tree.add(index, ref);
			content.add(index, ref.digest);
			dataBytes += chunkRawBytes(map, index);
		}
		if (journal.waiting > maxWaiting) await data.flush();
		onProgress(segment.offsetBytes + segment.lengthBytes);
	}
	await journal.endDisk(disk);
	onProgress(sizeBytes);
	const root = await tree.finish();
	const optional = { ...(root ? { root } : {}), ...(missing ? { missing } : {}) };
	return { sizeBytes, chunkSizeBytes, frameSizeBytes, contentDigest: content.finish(), dataBytes, ...optional };
}

/** memcmp against zeros: a chunk with data in it is mostly known for one by its first bytes. */
function isZero(bytes: Buffer): boolean {
	for (let at = 0; at < bytes.length; at += zeros.length) {
		const length = Math.min(zeros.length, bytes.length - at);
		if (bytes.compare(zeros, 0, length, at, at + length) !== 0) return false;
	}
	return true;
}

const zeros = Buffer.alloc(64 * 1024);

/** Read buffers, used again: a fresh megabyte costs more in page faults than what is read into it. */
class BufferPool {
	readonly #sizeBytes: number;
	readonly #free: Buffer[] = [];

	constructor(sizeBytes: number) {
		this.#sizeBytes = sizeBytes;
	}

	take(): Buffer {
		return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#sizeBytes);
	}

	giveBack(buffer: Buffer): void {
		this.#free.push(buffer);
	}
}
