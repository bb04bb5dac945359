import type { MoverDisk } from '../../movers/config.ts';
import { Migration } from '../../movers/migration-mover/migration.ts';
import { takeOffer } from '../../movers/migration-mover/offers.ts';
import { TokenBucket } from '../../movers/migration-mover/token-bucket.ts';
import type { RetryingChunkSource } from '../../repository/retrying-chunk-source.ts';
import type { Log } from '../../system/log.ts';
import type { Reached } from '../../system/reached.ts';
import type { Program } from './life.ts';

export interface MigrationSurroundings {
	/** Closed with the mover. */
	source: RetryingChunkSource;
	log: Log;
	reached: Reached;
	/** Room on the file system under a path. */
	freeBytes: (path: string) => Promise<number>;
}

export async function openMigration(
	recoveryId: string,
	disks: readonly MoverDisk[],
	surroundings: MigrationSurroundings,
): Promise<MigrationProgram> {
	const program = new MigrationProgram(recoveryId, disks, surroundings);
	await program.migration.open();
	return program;
}

/** A migration mover without its sockets: all that it writes is written, synced and recorded by the real one's code. */
export class MigrationProgram implements Program {
	readonly migration: Migration;
	readonly #source: RetryingChunkSource;

	constructor(recoveryId: string, disks: readonly MoverDisk[], surroundings: MigrationSurroundings) {
		this.#source = surroundings.source;
		this.migration = new Migration(recoveryId, disks, { ...surroundings, bucket: new TokenBucket(0, timeless()) });
	}

	copy(maxRateBytes: number): void {
		this.migration.bucket.setRate(maxRateBytes);
		this.migration.copy();
	}

	/** A favour: nobody waits for it, and the copy comes to what is not taken. A target that failed says so in the state. */
	async offer(disk: string, chunk: number, stored: Buffer): Promise<void> {
		const entry = this.migration.disks.find(one => one.disk.name === disk);
		if (entry) await takeOffer(this.migration, entry, chunk, stored).catch(() => undefined);
	}

	async close(): Promise<void> {
		// First of all, so that nothing is recorded of what is written now.
		for (const { target } of this.migration.disks) await target?.close();
		await this.#source.close();
		await this.migration.close();
	}
}

/** A rate is counted, and nobody waits for it. */
function timeless(): ConstructorParameters<typeof TokenBucket>[1] {
	let nowMs = 0;
	return {
		now: () => nowMs,
		delay: async ms => {
			nowMs += ms;
		},
	};
}
