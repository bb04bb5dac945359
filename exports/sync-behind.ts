import type { FileHandle } from 'node:fs/promises';

/** As a migration's groups of what threads write (movers/migration-mover/target.ts). */
const everyBytes = 64 * 1024 * 1024;

/**
 * Has what is written to a file go to the disk while more is written, so that the sync at its end need not wait for all of it. The
 * kernel tells an error of that once: whoever syncs in the end would not hear of it any more.
 */
export class SyncBehind {
	readonly #file: Pick<FileHandle, 'datasync'>;
	#bytes = 0;
	#syncing: Promise<void> | undefined;
	#failure: { error: unknown } | undefined;

	constructor(file: Pick<FileHandle, 'datasync'>) {
		this.#file = file;
	}

	/** Throws what a sync has failed with. */
	wrote(bytes: number): void {
		this.#throwIfFailed();
		this.#bytes += bytes;
		if (this.#bytes < everyBytes || this.#syncing !== undefined) return;
		this.#bytes = 0;
		this.#syncing = this.#sync();
	}

	/** Resolves when none is under way; throws what one has failed with. */
	async end(): Promise<void> {
		await this.#syncing;
		this.#throwIfFailed();
	}

	async #sync(): Promise<void> {
		try {
			await this.#file.datasync();
		} catch (error) {
			this.#failure = { error };
		}
		this.#syncing = undefined;
	}

	#throwIfFailed(): void {
		if (this.#failure !== undefined) throw this.#failure.error;
	}
}
