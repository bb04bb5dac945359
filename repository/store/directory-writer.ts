import { type FileHandle, open, rm } from 'node:fs/promises';
import { publishDurably, temporaryPath } from '../../system/durable-file.ts';
import type { ObjectWriter } from './contract.ts';
import { type Folder, openFolder } from './folder.ts';

/**
 * An object that is written piece by piece under a temporary name in its folder, which stays open until it is finished or
 * abandoned: so nobody can exchange the folder meanwhile (folder.ts).
 */
export class DirectoryWriter implements ObjectWriter {
	readonly #folder: Folder;
	readonly #file: FileHandle;
	readonly #temporary: string;
	readonly #path: string;
	readonly #signal: AbortSignal | undefined;
	#open = true;

	private constructor(folder: Folder, file: FileHandle, temporary: string, path: string, signal?: AbortSignal) {
		this.#folder = folder;
		this.#file = file;
		this.#temporary = temporary;
		this.#path = path;
		this.#signal = signal;
	}

	static async begin(root: string, key: string, settled: Set<string>, signal?: AbortSignal): Promise<DirectoryWriter> {
		const parts = key.split('/');
		const name = parts.pop() ?? '';
		const folder = await openFolder(root, parts, { make: true, settled });
		const path = folder.at(name);
		const temporary = temporaryPath(path);
		try {
			return new DirectoryWriter(folder, await open(temporary, 'wx', 0o600), temporary, path, signal);
		} catch (error) {
			await folder.close();
			throw error;
		}
	}

	async append(bytes: Uint8Array): Promise<void> {
		this.#signal?.throwIfAborted();
		for (let at = 0; at < bytes.length; ) at += (await this.#file.write(bytes, at)).bytesWritten;
	}

	async finish(): Promise<boolean> {
		this.#signal?.throwIfAborted();
		await this.#file.sync();
		this.#signal?.throwIfAborted();
		const published = await publishDurably(this.#temporary, this.#path);
		await this.#close();
		return published;
	}

	async abandon(): Promise<void> {
		if (!this.#open) return;
		try {
			await rm(this.#temporary, { force: true });
		} finally {
			await this.#close();
		}
	}

	async #close(): Promise<void> {
		this.#open = false;
		try {
			await this.#file.close();
		} finally {
			await this.#folder.close();
		}
	}
}
