import type { RouseError } from '../../model/errors.ts';
import type { RestoredMapReader } from '../restored-map/reader.ts';
import type { TargetFile } from './target-file.ts';

/** What of a disk is on this host: its target, and the restored map that says which chunks of it hold their bytes. */
export class LocalDisk {
	/** Followed by `RestoredPoll`. */
	readonly map: RestoredMapReader;
	readonly #target: TargetFile;

	/** Takes both over. */
	constructor(target: TargetFile, map: RestoredMapReader) {
		this.#target = target;
		this.map = map;
	}

	get restoredChunks(): number {
		return this.map.bitmap.restoredChunks;
	}

	get chunkCount(): number {
		return this.map.bitmap.chunkCount;
	}

	has(index: number): boolean {
		return this.map.bitmap.has(index);
	}

	/** End of the run of restored chunks that `index` is in, at most `limit`: what one read may cover. */
	endOfRestored(index: number, limit: number): number {
		return this.map.bitmap.endOfRun(index, limit);
	}

	/** See `TargetFile`; of restored chunks only. */
	readNow(into: Buffer, at: number, offset: number, length: number): boolean {
		return this.#target.readNow(into, at, offset, length);
	}

	/** See `TargetFile`; of restored chunks only. */
	readLater(
		into: Buffer,
		at: number,
		range: { offset: number; length: number },
		done: (error?: RouseError) => void,
	): void {
		this.#target.readLater(into, at, range, done);
	}

	/** The last read of the target that failed, until it is forgotten. */
	get failure(): RouseError | undefined {
		return this.#target.failure;
	}

	forgetFailure(): void {
		this.#target.forgetFailure();
	}

	async close(): Promise<void> {
		await this.map.close();
		await this.#target.close();
	}
}
