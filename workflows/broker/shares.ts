import type { Share } from '../../model/broker-view.ts';
import type { Demands } from './ledger.ts';

const told = 5;

interface Entry {
	sum: number;
	readonly shares: Share[];
	largest?: Share[];
}

/** Who has, or wants, how much of each resource, in the order in which they were added. */
export class Shares {
	readonly #byResource = new Map<string, Entry>();

	add(requestId: string, { accounts, weights }: Demands): void {
		accounts.forEach(({ resource }, index) => {
			const weight = weights[index] ?? 0;
			const known: Entry = this.#byResource.get(resource) ?? { sum: 0, shares: [] };
			known.sum += weight;
			known.shares.push({ requestId, weight });
			this.#byResource.set(resource, known);
		});
	}

	resources(): Iterable<string> {
		return this.#byResource.keys();
	}

	sum(resource: string): number {
		return this.#byResource.get(resource)?.sum ?? 0;
	}

	first(resource: string): Share[] {
		return this.#byResource.get(resource)?.shares.slice(0, told) ?? [];
	}

	/** All are to be added before. */
	largest(resource: string): Share[] {
		const known = this.#byResource.get(resource);
		if (!known) return [];
		known.largest ??= known.shares.toSorted((one, other) => other.weight - one.weight).slice(0, told);
		return known.largest;
	}
}
