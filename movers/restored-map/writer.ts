import type { FileHandle } from 'node:fs/promises';
import { RouseError } from '../../model/errors.ts';
import { writeError } from '../write-error.ts';
import type { RestoredBitmap } from './bitmap.ts';
import type { RestoredMapIdentity } from './identity.ts';
import { type ChunkRange, headerBytes, RecordCodec, recordBytes } from './layout.ts';
import { openMap, type RestoredMapReader, type RestoredSummary, readMap } from './reader.ts';

/**
 * Appends to the journal. There MUST be one at a time for a map: the caller is the migration mover, and holds its lock.
 */
export class RestoredMapWriter {
	readonly #map: RestoredMapReader;
	readonly #file: FileHandle;
	readonly #codec: RecordCodec;
	#records: number;
	#appending = false;
	#failure: RouseError | undefined;

	constructor(map: RestoredMapReader, file: FileHandle) {
		this.#map = map;
		this.#file = file;
		this.#codec = new RecordCodec(map.header);
		this.#records = map.records;
	}

	/** What is restored: durable, all of it. */
	get bitmap(): RestoredBitmap {
		return this.#map.bitmap;
	}

	get targetReadsZero(): boolean {
		return this.#map.header.targetReadsZero;
	}

	summary(): RestoredSummary {
		return this.#map.summary();
	}

	/**
	 * Records chunks as restored; durable when this resolves. The caller MUST have written them to the target and MUST
	 * have seen fdatasync of the target return after that. After an error the writer is dead: what reached the disk is
	 * unknown, and only opening the map anew finds out. `space_short` or `io_failed`.
	 */
	async append(ranges: readonly ChunkRange[]): Promise<void> {
		if (this.#failure) throw this.#failure;
		if (this.#appending) throw new RouseError('internal', `two appends to ${this.#map.path} at once`);
		this.#appending = true;
		try {
			const bytes = this.#codec.encode(this.#records, ranges);
			await writeAll(this.#file, bytes, headerBytes + this.#records * recordBytes);
			await this.#file.datasync();
		} catch (cause) {
			this.#failure = writeError(this.#map.path, 'appending to the restored map', cause);
			throw this.#failure;
		} finally {
			this.#appending = false;
		}
		this.#records += ranges.length;
		for (const range of ranges) this.bitmap.set(range);
	}

	async close(): Promise<void> {
		await this.#map.close();
	}
}

/**
 * Opens a map for appending; refuses what the reader refuses. Whatever lies after the last whole record is cut off, and
 * the cut and all records that count are made durable, before anything is appended: else a crash could bring back an old
 * tail behind new records, or lose a record of which the caller relies that it is there.
 */
export async function openRestoredMapWriter(path: string, expected: RestoredMapIdentity): Promise<RestoredMapWriter> {
	const file = await openMap(path, 'r+');
	try {
		const map = await readMap(path, file, expected);
		await file.truncate(headerBytes + map.records * recordBytes);
		await file.sync();
		return new RestoredMapWriter(map, file);
	} catch (error) {
		await file.close();
		throw error;
	}
}

async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
	for (let done = 0; done < bytes.length; ) {
		const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
		done += bytesWritten;
	}
}
