import { type FileHandle, open } from 'node:fs/promises';
import { RouseError } from '../../../model/errors.ts';
import type { WritableFile } from './vhdx-writer.ts';

/** A file of the simulated host, open. */
export class DiskFile implements WritableFile {
	readonly name: string;
	readonly #handle: FileHandle;
	#sizeBytes: number;

	private constructor(name: string, handle: FileHandle, sizeBytes: number) {
		this.name = name;
		this.#handle = handle;
		this.#sizeBytes = sizeBytes;
	}

	static async open(path: string, name: string, mode: 'r' | 'r+'): Promise<DiskFile> {
		const handle = await open(path, mode);
		return new DiskFile(name, handle, (await handle.stat()).size);
	}

	get sizeBytes(): number {
		return this.#sizeBytes;
	}

	async read(atBytes: number, lengthBytes: number): Promise<Uint8Array> {
		const bytes = new Uint8Array(lengthBytes);
		for (let done = 0; done < lengthBytes; ) {
			const { bytesRead } = await this.#handle.read(bytes, done, lengthBytes - done, atBytes + done);
			if (bytesRead === 0) throw new RouseError('io_failed', `${this.name} ends at ${atBytes + done}`);
			done += bytesRead;
		}
		return bytes;
	}

	async write(atBytes: number, bytes: Uint8Array): Promise<void> {
		for (let done = 0; done < bytes.length; ) {
			const { bytesWritten } = await this.#handle.write(bytes, done, bytes.length - done, atBytes + done);
			done += bytesWritten;
		}
		this.#sizeBytes = Math.max(this.#sizeBytes, atBytes + bytes.length);
	}

	async extendTo(sizeBytes: number): Promise<void> {
		await this.#handle.truncate(sizeBytes);
		this.#sizeBytes = sizeBytes;
	}

	async flush(): Promise<void> {
		await this.#handle.datasync();
	}

	async close(): Promise<void> {
		await this.#handle.close();
	}
}
