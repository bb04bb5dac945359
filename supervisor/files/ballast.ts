import { randomFillSync } from 'node:crypto';
import { open, rm, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isErrno } from '../../system/durable-file.ts';

/** A hundred times what the end of a recovery writes: a tombstone, its directory's block, a machine.json. */
const ballastBytes = 4 * 1024 * 1024;

/**
 * A file that takes room while there is some, to be given back when a recovery is to end on a full disk: to remove anything,
 * Rouse first records that it does, and what would make room needs a little of it. Its content means nothing, and a part
 * of it is better than none, so that it needs no temporary name.
 */
export class Ballast {
	readonly #path: string;

	constructor(path: string) {
		this.#path = path;
	}

	/** Makes it unless it is there, or as much again would not be left. */
	async keep(): Promise<void> {
		if ((await this.#sizeBytes()) >= ballastBytes || !(await this.#hasRoom())) return;
		const file = await open(this.#path, 'w', 0o600);
		try {
			// Noise: a file system that compresses, or leaves out zeros, would give nothing back for it.
			await file.writeFile(randomFillSync(new Uint8Array(ballastBytes)));
			await file.sync();
		} finally {
			await file.close();
		}
	}

	/** True when there was something to give. */
	async giveBack(): Promise<boolean> {
		const given = (await this.#sizeBytes()) > 0;
		await rm(this.#path, { force: true });
		return given;
	}

	async #sizeBytes(): Promise<number> {
		try {
			return (await stat(this.#path)).size;
		} catch (error) {
			if (isErrno(error, 'ENOENT')) return 0;
			throw error;
		}
	}

	async #hasRoom(): Promise<boolean> {
		const { bavail, bsize } = await statfs(dirname(this.#path));
		return bavail * bsize >= 2 * ballastBytes;
	}
}
