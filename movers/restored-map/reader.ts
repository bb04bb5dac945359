import { type FileHandle, open } from 'node:fs/promises';
import { RouseError } from '../../model/errors.ts';
import { RestoredBitmap } from './bitmap.ts';
import { expectSameIdentity, type RestoredMapIdentity } from './identity.ts';
import { chunkCountOf, decodeHeader, headerBytes, RecordCodec, recordBytes, type RestoredMapHeader } from './layout.ts';

export interface RestoredSummary {
	restoredChunks: number;
	/** Bytes of the disk's exact size that lie in restored chunks. */
	restoredBytes: number;
	complete: boolean;
}

/**
 * Follows the journal. What it says is restored was recorded, and stays so; it may be behind the writer, never ahead.
 * Reading ends at the first record that is not whole and is taken up there again: a writer may be just appending it, or
 * will cut it off and put a good one in its place.
 */
export class RestoredMapReader {
	readonly header: RestoredMapHeader;
	readonly bitmap: RestoredBitmap;
	readonly path: string;
	readonly #file: FileHandle;
	readonly #codec: RecordCodec;
	#records = 0;

	constructor(path: string, file: FileHandle, header: RestoredMapHeader) {
		this.path = path;
		this.#file = file;
		this.header = header;
		this.bitmap = new RestoredBitmap(chunkCountOf(header.identity));
		this.#codec = new RecordCodec(header);
	}

	/** Records that were read. */
	get records(): number {
		return this.#records;
	}

	has(chunk: number): boolean {
		return this.bitmap.has(chunk);
	}

	/** Reads what was appended since; true when there was something. MUST NOT be called again before it has resolved. */
	async refresh(): Promise<boolean> {
		const before = this.#records;
		// Small first: mostly nothing or one record is new.
		for (let wanted = 4096; ; wanted = 1024 * 1024) {
			const bytes = await readAt(this.#file, headerBytes + this.#records * recordBytes, wanted);
			if (!this.#take(bytes) || bytes.length < wanted) return this.#records !== before;
		}
	}

	summary(): RestoredSummary {
		return summaryOf(this.bitmap, this.header.identity);
	}

	async close(): Promise<void> {
		await this.#file.close();
	}

	/** False when a record in it was not whole. */
	#take(bytes: Buffer): boolean {
		for (let at = 0; at + recordBytes <= bytes.length; at += recordBytes) {
			const range = this.#codec.decode(bytes, at, this.#records);
			if (range === undefined) return false;
			this.bitmap.set(range);
			this.#records += 1;
		}
		return true;
	}
}

/**
 * Opens a map and reads it once. Throws `identity_conflict` for a map of another recovery, disk or target file,
 * `format_damaged` when its header cannot be believed.
 */
export async function openRestoredMapReader(path: string, expected: RestoredMapIdentity): Promise<RestoredMapReader> {
	const file = await openMap(path, 'r');
	try {
		return await readMap(path, file, expected);
	} catch (error) {
		await file.close();
		throw error;
	}
}

/** How far a target is, for whoever has no reader open. */
export async function readRestoredSummary(path: string, expected: RestoredMapIdentity): Promise<RestoredSummary> {
	const reader = await openRestoredMapReader(path, expected);
	try {
		return reader.summary();
	} finally {
		await reader.close();
	}
}

/** The reader owns `file` only when this resolves. */
export async function readMap(
	path: string,
	file: FileHandle,
	expected: RestoredMapIdentity,
): Promise<RestoredMapReader> {
	const header = decodeHeader(await readAt(file, 0, headerBytes), path);
	expectSameIdentity(path, header.identity, expected);
	const reader = new RestoredMapReader(path, file, header);
	await reader.refresh();
	return reader;
}

export async function openMap(path: string, flags: 'r' | 'r+'): Promise<FileHandle> {
	try {
		return await open(path, flags);
	} catch (cause) {
		throw new RouseError('io_failed', `restored map ${path} cannot be opened`, { cause });
	}
}

function summaryOf(bitmap: RestoredBitmap, identity: RestoredMapIdentity): RestoredSummary {
	const { sizeBytes, chunkSizeBytes } = identity;
	const last = bitmap.chunkCount - 1;
	const beyond = bitmap.has(last) ? bitmap.chunkCount * chunkSizeBytes - sizeBytes : 0;
	return {
		restoredChunks: bitmap.restoredChunks,
		restoredBytes: bitmap.restoredChunks * chunkSizeBytes - beyond,
		complete: bitmap.complete,
	};
}

/** Up to `length` bytes; fewer only at the end of the file. */
async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
	const buffer = Buffer.allocUnsafe(length);
	let filled = 0;
	while (filled < length) {
		const { bytesRead } = await file.read(buffer, filled, length - filled, position + filled);
		if (bytesRead === 0) break;
		filled += bytesRead;
	}
	return buffer.subarray(0, filled);
}
