import { RouseError } from '../../model/errors.ts';
import type { MachineDefinition } from '../contract.ts';

/** Which machine a fault is for; every one by default. */
export interface FaultFor {
	recoveryId?: string;
}

/** Where a machine's writes go, and can be refused. */
export type WrittenPlace = 'overlay' | 'target';

interface Fault {
	of: string | undefined;
	left: number;
	act: () => Promise<void>;
}

/**
 * What goes wrong on a simulated host, as somebody outside decides. Places are the names of the machine's methods, each
 * reached when it begins, and the places of the switch.
 */
export class SimulatedFaults {
	readonly #at = new Map<string, Fault[]>();
	readonly #refused = new Map<string, { noSpace: boolean }>();
	readonly #held = new Set<() => void>();

	/** The next `times` that the place is reached, this is thrown. */
	throwAt(place: string, error: Error, { recoveryId, times = 1 }: FaultFor & { times?: number } = {}): void {
		this.#add(place, {
			of: recoveryId,
			left: times,
			act: async () => {
				throw error;
			},
		});
	}

	/** Whoever reaches the place next stays there until the returned function is called, or the platform gives it up. */
	hangAt(place: string, { recoveryId }: FaultFor = {}): () => void {
		const { promise, resolve } = Promise.withResolvers<void>();
		this.#held.add(resolve);
		this.#add(place, { of: recoveryId, left: 1, act: () => promise });
		return resolve;
	}

	/** Every write there fails from now on. */
	refuseWrites(place: WrittenPlace, { noSpace, recoveryId }: FaultFor & { noSpace: boolean }): void {
		this.#refused.set(`${place} ${recoveryId ?? ''}`, { noSpace });
	}

	/** Writes succeed again, and nothing hangs or throws any more. */
	mend(): void {
		this.#at.clear();
		this.#refused.clear();
		for (const release of this.#held) release();
		this.#held.clear();
	}

	/** For the platform: what is to happen at a place that it has reached, or undefined when nothing is. */
	reach(place: string, { recoveryId }: MachineDefinition): Promise<void> | undefined {
		const fault = this.#at.get(place)?.find(({ of, left }) => left > 0 && (of === undefined || of === recoveryId));
		if (fault === undefined) return undefined;
		fault.left -= 1;
		return fault.act();
	}

	/** For the platform: why a write there fails, or undefined when it does not. */
	refusal(place: WrittenPlace, { recoveryId }: MachineDefinition): { noSpace: boolean } | undefined {
		return this.#refused.get(`${place} ${recoveryId}`) ?? this.#refused.get(`${place} `);
	}

	/** For the platform: throws where a write there fails. */
	expectWritable(place: WrittenPlace, definition: MachineDefinition): void {
		const refusal = this.refusal(place, definition);
		if (refusal === undefined) return;
		const what = `${definition.directory}: a write to the ${place} failed`;
		if (!refusal.noSpace) throw new RouseError('io_failed', what);
		throw new RouseError('space_short', `${what}: no space left`, { hint: 'make room there' });
	}

	#add(place: string, fault: Fault): void {
		const known = this.#at.get(place);
		if (known) known.push(fault);
		else this.#at.set(place, [fault]);
	}
}
