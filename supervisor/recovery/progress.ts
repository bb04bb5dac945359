import type { DiskProgress } from '../../model/recovery.ts';
import type { Target } from '../../hypervisors/contract.ts';
import { type RestoredMapIdentity, restoredMapIdentity } from '../../movers/restored-map/identity.ts';
import {
	openRestoredMapReader,
	type RestoredMapReader,
	readRestoredSummary,
} from '../../movers/restored-map/reader.ts';
import type { RecoveryDisk, RecoveryMoversOf } from '../movers/movers.ts';

export interface Restored {
	disks: DiskProgress[];
	/** Every disk to its last chunk. */
	complete: boolean;
}

/** Where these are, for people, one a disk. */
export function placesOf(targets: readonly Target[]): string[] {
	return targets.map(({ path, place = path }) => place);
}

/** How much of a recovery's disks is restored: what the restored maps say, followed as they grow. */
export class Progress {
	readonly #recoveryId: string;
	readonly #disks: readonly RecoveryDisk[];
	readonly #targets: () => Promise<readonly Target[]>;
	#places: readonly string[] = [];
	#readers: Promise<RestoredMapReader[]> | undefined;
	#reading: Promise<Restored> | undefined;

	constructor({ recoveryId, disks, targets }: Pick<RecoveryMoversOf, 'recoveryId' | 'disks' | 'targets'>) {
		this.#recoveryId = recoveryId;
		this.#disks = disks;
		this.#targets = targets;
	}

	/** Where the targets were, for people, when they were last asked for; empty before. */
	get places(): readonly string[] {
		return this.#places;
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
		const expected = await this.#expected();
		const summaries = await Promise.all(
			expected.map(({ mapPath, identity }) => readRestoredSummary(mapPath, identity)),
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
			for (const { mapPath, identity } of await this.#expected())
				readers.push(await openRestoredMapReader(mapPath, identity));
			return readers;
		} catch (error) {
			for (const reader of readers) await reader.close();
			throw error;
		}
	}

	/** Which map must be where. */
	async #expected(): Promise<{ mapPath: string; identity: RestoredMapIdentity }[]> {
		const targets = await this.#targets();
		this.#places = placesOf(targets);
		return this.#disks.map(({ image, mapPath }, index) => ({
			mapPath,
			identity: restoredMapIdentity(this.#recoveryId, image, targets[index]?.identity ?? ''),
		}));
	}

	#restored(summaries: readonly { restoredBytes: number; complete: boolean }[]): Restored {
		return {
			disks: this.#disks.map((disk, index) => ({
				sizeBytes: disk.image.sizeBytes,
				restoredBytes: summaries[index]?.restoredBytes ?? 0,
				path: this.#places[index] ?? '',
			})),
			complete: summaries.length === this.#disks.length && summaries.every(summary => summary.complete),
		};
	}
}
