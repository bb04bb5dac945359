import type { DiskProgress } from '../model/recovery.ts';
import { restoredMapIdentity, targetIdentity } from '../movers/restored-map/identity.ts';
import { openRestoredMapReader, type RestoredMapReader, readRestoredSummary } from '../movers/restored-map/reader.ts';
import type { RecoveryDisk } from './movers.ts';

export interface Restored {
	disks: DiskProgress[];
	/** Every disk to its last chunk. */
	complete: boolean;
}

/** How much of a recovery's disks is restored: what the restored maps say, followed as they grow. */
export class Progress {
	readonly #recoveryId: string;
	readonly #disks: readonly RecoveryDisk[];
	#readers: Promise<RestoredMapReader[]> | undefined;
	#reading: Promise<Restored> | undefined;

	constructor(recoveryId: string, disks: readonly RecoveryDisk[]) {
		this.#recoveryId = recoveryId;
		this.#disks = disks;
	}

	/** MAY be behind by what was recorded this moment, is never ahead. Throws what opening a map throws. */
	now(): Promise<Restored> {
		// Readers must not be refreshed twice at once: who comes meanwhile shares the answer.
		this.#reading ??= this.#read().finally(() => {
			this.#reading = undefined;
		});
		return this.#reading;
	}

	/** From the files, from their beginning: what the seal relies on. */
	async afresh(): Promise<Restored> {
		const summaries = await Promise.all(
			this.#disks.map(async disk => readRestoredSummary(disk.mapPath, await this.#identity(disk))),
		);
		return this.#restored(summaries);
	}

	async close(): Promise<void> {
		const readers = this.#readers;
		this.#readers = undefined;
		await this.#reading?.catch(() => undefined);
		const opened = await readers?.catch(() => []);
		for (const reader of opened ?? []) await reader.close();
	}

	async #read(): Promise<Restored> {
		this.#readers ??= this.#open();
		let readers: RestoredMapReader[];
		try {
			readers = await this.#readers;
		} catch (error) {
			this.#readers = undefined; // to be opened again by the next who asks
			throw error;
		}
		for (const reader of readers) await reader.refresh();
		return this.#restored(readers.map(reader => reader.summary()));
	}

	async #open(): Promise<RestoredMapReader[]> {
		const readers: RestoredMapReader[] = [];
		try {
			for (const disk of this.#disks)
				readers.push(await openRestoredMapReader(disk.mapPath, await this.#identity(disk)));
			return readers;
		} catch (error) {
			for (const reader of readers) await reader.close();
			throw error;
		}
	}

	async #identity(disk: RecoveryDisk) {
		return restoredMapIdentity(this.#recoveryId, disk.image, await targetIdentity(disk.targetPath));
	}

	#restored(summaries: readonly { restoredBytes: number; complete: boolean }[]): Restored {
		return {
			disks: this.#disks.map((disk, index) => ({
				sizeBytes: disk.image.sizeBytes,
				restoredBytes: summaries[index]?.restoredBytes ?? 0,
				path: disk.targetPath,
			})),
			complete: summaries.length === this.#disks.length && summaries.every(summary => summary.complete),
		};
	}
}
