import type { MoverDisk } from '../../movers/config.ts';
import { Migration, type MigrationParts } from '../../movers/migration-mover/migration.ts';
import { takeOffer } from '../../movers/migration-mover/offers.ts';
import { TokenBucket } from '../../movers/migration-mover/token-bucket.ts';
import type { Clock } from '../../system/clock.ts';
import type { Program } from './life.ts';

/** The rate is not among them: it is counted, and nobody waits for it. */
export type MigrationSurroundings = Omit<MigrationParts, 'bucket'>;

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
		this.migration = new Migration(recoveryId, disks, {
			...surroundings,
			bucket: new TokenBucket(0, clockWithoutWaiting()),
		});
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

function clockWithoutWaiting(): Pick<Clock, 'now' | 'delay'> {
	let waitedMs = 0;
	return {
		now: () => waitedMs,
		delay: async ms => {
			waitedMs += ms;
		},
	};
}
