import { appendFile, type FileHandle, open } from 'node:fs/promises';
import { RouseError } from '../../model/errors.ts';
import type { DiskSource, SourceExtent } from '../../repository/import/disk-source.ts';
import { blockBytes } from './bitmaps.ts';

export interface DiskOfSet {
	/** Of the copy. */
	path: string;
	sizeBytes: number;
	/** Whether a block may differ from the base; asked in order. Undefined: nobody knows, and all are read. */
	changed: ((block: number, bytes: Buffer) => Promise<boolean>) | undefined;
	/** Called before an extent is told, or a read is made: what fate has for it. */
	before: (place: 'extents' | 'read') => Promise<void>;
	log: { path: string; of: string };
}

/** A disk of a set. Every read is noted. */
export class SimulatedDisk implements DiskSource {
	readonly sizeBytes: number;
	readonly #disk: DiskOfSet;
	readonly #file: FileHandle;

	private constructor(disk: DiskOfSet, file: FileHandle) {
		this.sizeBytes = disk.sizeBytes;
		this.#disk = disk;
		this.#file = file;
	}

	static async open(disk: DiskOfSet): Promise<SimulatedDisk> {
		return new SimulatedDisk(disk, await opened(disk.path));
	}

	async *extents(signal: AbortSignal): AsyncGenerator<SourceExtent> {
		for (let offsetBytes = 0; offsetBytes < this.sizeBytes; ) {
			signal.throwIfAborted();
			await this.#disk.before('extents');
			const lengthBytes = Math.min(blockBytes, this.sizeBytes - offsetBytes);
			yield { offsetBytes, lengthBytes, kind: await this.#kindOf(offsetBytes, lengthBytes) };
			offsetBytes += lengthBytes;
		}
	}

	async #kindOf(offsetBytes: number, lengthBytes: number): Promise<SourceExtent['kind']> {
		const bytes = Buffer.alloc(lengthBytes);
		await this.#fill(offsetBytes, bytes);
		const { changed } = this.#disk;
		if (changed !== undefined && !(await changed(offsetBytes / blockBytes, bytes))) return 'unchanged';
		return bytes.every(byte => byte === 0) ? 'zero' : 'data';
	}

	async read(offsetBytes: number, into: Buffer, signal: AbortSignal): Promise<void> {
		const { before, log, path } = this.#disk;
		signal.throwIfAborted();
		await before('read');
		// The copy's name may be gone while it is open, as a moment is whose platform has ended it.
		await (await opened(path)).close();
		await this.#fill(offsetBytes, into);
		await appendFile(log.path, `${log.of} ${offsetBytes} ${into.length}\n`);
	}

	async #fill(offsetBytes: number, into: Buffer): Promise<void> {
		const { bytesRead } = await this.#file.read(into, 0, into.length, offsetBytes);
		if (bytesRead !== into.length)
			throw new RouseError(
				'source_invalid',
				`the copy ended after ${bytesRead} of ${into.length} bytes at ${offsetBytes}`,
			);
	}

	async close(): Promise<void> {
		await this.#file.close();
	}
}

/** `moment_lost` when the copy is gone. */
async function opened(path: string): Promise<FileHandle> {
	try {
		return await open(path);
	} catch (cause) {
		throw momentLost(cause);
	}
}

export function momentLost(cause?: unknown): RouseError {
	return new RouseError('moment_lost', 'the moment is gone while it was read', {
		cause,
		hint: 'begin the import anew',
	});
}
