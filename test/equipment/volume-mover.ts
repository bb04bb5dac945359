import type { MachineDefinition, Platform } from '../../hypervisors/contract.ts';
import { gateOf } from '../../hypervisors/conformance/bench.ts';
import { MountedVolume } from '../../movers/mount-mover/mounted-volume.ts';
import { NbdExports } from '../../nbd/server/export.ts';
import { type NbdServer, serveNbd } from '../../nbd/server/server.ts';
import { systemClock } from '../../system/clock.ts';
import { MemoryExport } from './memory-export.ts';

/**
 * A mount mover whose disks are in memory, and nothing waits: it serves them, and the volume that the machine asks for, by the
 * code of the real one.
 */
export class VolumeMover {
	readonly #platform: Platform;
	readonly #definition: MachineDefinition;
	readonly #base: readonly Buffer[];
	/** Writes to what no host may write. */
	readonly refused: string[] = [];
	#server: NbdServer | undefined;
	#volume: MountedVolume | undefined;
	starts = 0;

	constructor(platform: Platform, definition: MachineDefinition, base: readonly Buffer[]) {
		this.#platform = platform;
		this.#definition = definition;
		this.#base = base;
	}

	start = async (): Promise<void> => {
		if (this.#server) return;
		this.starts += 1;
		const disks = this.#base.map((bytes, number) => new MemoryExport(`disk${number}`, bytes));
		const exports = disks.flatMap(disk => [new MemoryExport(`${disk.name}-now`, disk.bytes), disk]);
		this.#server = await serveNbd(
			this.#definition.nbdSocket,
			new NbdExports([...exports, ...(await this.#ofVolume(disks))]),
		);
	};

	stop = async (): Promise<void> => {
		await this.#server?.close();
		await this.#volume?.close();
		this.#server = this.#volume = undefined;
	};

	async #ofVolume(disks: readonly MemoryExport[]) {
		const machine = this.#platform.machine(this.#definition, gateOf({ mover: this }));
		const wanted = await machine.volume?.();
		if (wanted === undefined) return [];
		this.#volume = await MountedVolume.open(wanted, systemClock);
		const onWriteRefused = (write: { offset: number; length: number }) =>
			void this.refused.push(`${write.length} at ${write.offset}`);
		return this.#volume.exports({ description: 'a volume', onWriteRefused }, { plain: disks, now: disks, wait: disks });
	}
}
