import type { MachineDefinition } from '../../hypervisors/contract.ts';
import { SimulatedFaults } from '../../hypervisors/simulated/faults.ts';

/** Which methods of its machines a simulated host was asked for, in their order, and what happens before one. */
export class RecordedCalls extends SimulatedFaults {
	readonly #calls: { place: string; recoveryId: string }[] = [];
	/** Throws what the method is to throw. Places of a switch come here too. */
	before: (place: string) => Promise<void> | void = () => undefined;

	override async reach(place: string, definition: MachineDefinition): Promise<void> {
		await this.before(place);
		this.#calls.push({ place, recoveryId: definition.recoveryId });
		await super.reach(place, definition);
	}

	/** How often a method was asked for, of one machine or of all. */
	times(place: string, recoveryId?: string): number {
		return this.#of(place, recoveryId).length;
	}

	/** What was asked for, of these. */
	order(...places: readonly string[]): string[] {
		return this.#calls.map(({ place }) => place).filter(place => places.includes(place));
	}

	#of(place: string, recoveryId?: string) {
		return this.#calls.filter(
			call => call.place === place && (recoveryId === undefined || call.recoveryId === recoveryId),
		);
	}
}
