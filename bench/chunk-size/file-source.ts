import { type FileHandle, open } from 'node:fs/promises';
import type { DiskSource, SourceExtent } from '../../repository/import/disk-source.ts';

/** A raw file as a disk, with some of its bytes changed on the way: the next backup of the same machine. */
export class FileSource implements DiskSource {
	readonly sizeBytes: number;
	readonly #file: FileHandle;
	readonly #changed: ReadonlySet<number>;

	private constructor(file: FileHandle, sizeBytes: number, changed: ReadonlySet<number>) {
		this.#file = file;
		this.sizeBytes = sizeBytes;
		this.#changed = changed;
	}

	/** `changed`: numbers of 4 KiB blocks in which one byte is different. */
	static async open(path: string, changed: ReadonlySet<number> = new Set()): Promise<FileSource> {
		const file = await open(path);
		return new FileSource(file, (await file.stat()).size, changed);
	}

	async *extents(): AsyncGenerator<SourceExtent> {
		yield { offsetBytes: 0, lengthBytes: this.sizeBytes, kind: 'data' };
	}

	async read(offsetBytes: number, into: Buffer): Promise<void> {
		const { bytesRead } = await this.#file.read(into, 0, into.length, offsetBytes);
		if (bytesRead !== into.length) throw new Error(`read ${bytesRead} of ${into.length} bytes at ${offsetBytes}`);
		for (let at = 0; at < into.length; at += 4096)
			if (this.#changed.has((offsetBytes + at) / 4096)) into.writeUInt8(into.readUInt8(at) ^ 1, at);
	}

	async close(): Promise<void> {
		await this.#file.close();
	}
}
