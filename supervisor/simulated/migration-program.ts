import type { MoverDisk } from '../../movers/config.ts';
import { Migration, type MigrationParts } from '../../movers/migration-mover/migration.ts';
import { takeOffer } from '../../movers/migration-mover/offers.ts';
import { TokenBucket } from '../../movers/migration-mover/token-bucket.ts';
import type { Clock } from '../../system/clock.ts';
import type { Program } from './life.ts';

export interface MigrationSurroundings extends Omit<MigrationParts, 'bucket'> {
	/** Whose time a rate is kept by. */
	clock: Pick<Clock, 'now' | 'delay'>;
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
	readonly #source: MigrationParts['source'];

	constructor(recoveryId: string, disks: readonly MoverDisk[], surroundings: MigrationSurroundings) {
		this.#source = surroundings.source;
		const bucket = new TokenBucket(0, surroundings.clock);
		this.migration = new Migration(recoveryId, disks, { ...surroundings, bucket });
	}

	copy(maxRateBytes: number): void {
		this.migration.bucket.setRate(maxRateBytes);
		this.migration.copy();
	}

	/** Throws what keeps it from being taken. */
	async offer(disk: string, chunk: number, stored: Buffer): Promise<void> {
		const entry = this.migration.disks.find(one => one.disk.name === disk);
		if (entry) await takeOffer(this.migration, entry, chunk, stored);
	}

	async close(): Promise<void> {
		// First of all, so that nothing is recorded of what is being written now.
		for (const { target } of this.migration.disks) await target?.close();
		await this.#source.close();
		await this.migration.close();
	}
}
