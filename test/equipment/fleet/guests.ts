import { setTimeout as delay } from 'node:timers/promises';
import type { SimulatedGuest } from '../../../hypervisors/simulated/guest.ts';
import { SimulatedHost } from '../../../hypervisors/simulated/host.ts';
import { readDocument } from '../../../supervisor/files/document.ts';
import { definitionOf } from '../../../supervisor/files/machine-file.ts';
import { recoveryPlaces } from '../../../supervisor/files/places.ts';
import { recoveryStateSchema } from '../../../supervisor/files/state.ts';
import type { Installation } from '../../../system/installation.ts';
import { type WaitOptions, waitFor } from '../../../system/wait.ts';
import type { Random } from '../seeds/random.ts';
import { SeededGuest } from '../seeds/seeded-guest.ts';
import type { Cast } from './stories.ts';

/** Between two writes: guests that write as fast as they can would leave nothing of the processors to the others. */
const restMs = 20;
/** So many writes more are worth being lost. */
const someWrites = 3;

interface Written {
	/** Once its machine is known, which is never described anew. */
	guest: SimulatedGuest | undefined;
	/** One a disk. */
	disks: SeededGuest[];
}

/**
 * The guests of all machines of a simulated host, in a process of their own as guests are: they share nothing with the
 * supervisor but the machines' files.
 */
export class Guests {
	readonly #installation: Installation;
	readonly #host: SimulatedHost;
	readonly #random: Random;
	/** Of every wait. */
	readonly #patience: WaitOptions;
	readonly #guests = new Map<string, Written>();

	constructor(installation: Installation, random: Random, patience: WaitOptions) {
		this.#installation = installation;
		this.#random = random;
		this.#patience = patience;
		this.#host = new SimulatedHost({
			like: 'process',
			directory: installation.home,
			// Mount movers live in the supervisor's process.
			readBase: () => Promise.reject(new Error('a guest of another process reads nothing from the mover')),
		});
	}

	/** `disks`: as they are in the restore point. */
	add(name: string, disks: readonly Buffer[]): Cast['guest'] {
		const written: Written = {
			guest: undefined,
			disks: disks.map((base, disk) => new SeededGuest(base, this.#random, { disk, flushesLater: 0.3 })),
		};
		this.#guests.set(name, written);
		const acknowledged = () => written.disks.reduce((sum, disk) => sum + disk.acknowledged, 0);
		return {
			boot: () => written.guest?.boot,
			writes: () => {
				const enough = acknowledged() + someWrites;
				return waitFor(`the guest of ${name} to write`, () => acknowledged() >= enough, this.#patience);
			},
		};
	}

	/** One guest after the other writes, when it runs, until the signal is aborted. */
	async write(signal: AbortSignal): Promise<void> {
		while (!signal.aborted)
			for (const [name, written] of this.#guests) {
				written.guest ??= await this.#find(name);
				const { guest } = written;
				if (guest?.boot !== undefined) for (const disk of written.disks) disk.write(guest);
				await delay(restMs, undefined, { signal }).catch(() => undefined);
				if (signal.aborted) return;
			}
	}

	/** `found`: the disks of a machine that is off. */
	check(name: string, found: readonly Buffer[]): void {
		for (const [index, disk] of this.#guests.get(name)?.disks.entries() ?? [])
			disk.check(found[index] ?? Buffer.alloc(0));
	}

	/** From the plan on. */
	async #find(name: string): Promise<SimulatedGuest | undefined> {
		const state = await readDocument(recoveryPlaces(this.#installation, name, '').state, recoveryStateSchema);
		if (!state?.plan) return undefined;
		return this.#host.guest(definitionOf(state, recoveryPlaces(this.#installation, name, state.recoveryId)));
	}
}
