/**
 * One resource from now on: how much there is, and until when how much of it is taken. Who waits is charged from now on
 * like who holds, so what is taken never rises with time; thus the first moment at which something fits is found from
 * the far end, past as many charges as fit side by side.
 */
export class Account {
	readonly resource: string;
	readonly capacity: number | null;
	/** Taken for good by what machines keep. */
	#lasting = 0;
	#charged = 0;
	/** Of each charge its end, the earliest first, and what it takes. */
	readonly #ends: number[] = [];
	readonly #weights: number[] = [];
	/** Most requests want the same of a resource, and most ask in vain. */
	#last: { weight: number; startMs: number | null } | null = null;

	/** @param capacity null when nobody has said how much there is */
	constructor(resource: string, capacity: number | null) {
		this.resource = resource;
		this.capacity = capacity;
	}

	/** What may be granted if everything came back that will. */
	get grantable(): number | null {
		return this.capacity === null ? null : this.capacity - this.#lasting;
	}

	get charged(): number {
		return this.#charged;
	}

	/** When `weight` fits: `nowMs`, or the end of a charge, or null when that is not in sight. */
	earliestMs(weight: number, nowMs: number): number | null {
		if (this.#last?.weight === weight) return this.#last.startMs;
		const startMs = this.#earliestMs(weight, nowMs);
		this.#last = { weight, startMs };
		return startMs;
	}

	/** The part of what may be granted that is taken at a time, with `weight` on top of it. */
	loadAt(timeMs: number, weight: number, nowMs: number): number {
		let taken = weight;
		if (timeMs === nowMs) taken += this.#charged;
		else {
			for (let index = this.#ends.length - 1; index >= 0; index -= 1) {
				if ((this.#ends[index] ?? 0) <= timeMs) break;
				taken += this.#weights[index] ?? 0;
			}
		}
		return taken / Math.max(1, this.grantable ?? 0);
	}

	/** Goes to its place from the far end: in the order of their ends, or nearly so, charges cost nothing. */
	charge(weight: number, untilMs: number): void {
		const [ends, weights] = [this.#ends, this.#weights];
		let place = ends.length;
		for (; place > 0 && (ends[place - 1] ?? 0) > untilMs; place -= 1) {
			ends[place] = ends[place - 1] ?? 0;
			weights[place] = weights[place - 1] ?? 0;
		}
		ends[place] = untilMs;
		weights[place] = weight;
		this.#charged += weight;
		this.#last = null;
	}

	chargeForGood(weight: number): void {
		this.#lasting += weight;
		this.#last = null;
	}

	#earliestMs(weight: number, nowMs: number): number | null {
		const grantable = this.grantable;
		if (grantable === null || weight > grantable) return null;
		if (this.#charged + weight <= grantable) return nowMs;
		let taken = weight;
		for (let index = this.#ends.length - 1; index >= 0; index -= 1) {
			taken += this.#weights[index] ?? 0;
			if (taken > grantable) return this.#ends[index] ?? nowMs;
		}
		return nowMs;
	}
}
