import { RouseError } from '../../model/errors.ts';

/**
 * Names are told once and then by number: two thousand requests for the same hosts would otherwise be several MiB of
 * their names.
 */
export class NameTable {
	readonly names: string[] = [];
	readonly #numbers = new Map<string, number>();

	numberOf(name: string): number {
		let number = this.#numbers.get(name);
		if (number === undefined) {
			number = this.names.push(name) - 1;
			this.#numbers.set(name, number);
		}
		return number;
	}

	pairs(weights: Readonly<Record<string, number>>): [number, number][] {
		return Object.entries(weights).map(([name, weight]) => [this.numberOf(name), weight]);
	}
}

export function nameAt(names: readonly string[], number: number): string {
	const name = names[number];
	if (name === undefined)
		throw new RouseError('input_invalid', `the broker's state has ${names.length} names, not ${number}`);
	return name;
}

export function weightsAt(
	names: readonly string[],
	pairs: readonly (readonly [number, number])[],
): Record<string, number> {
	return Object.fromEntries(pairs.map(([number, weight]) => [nameAt(names, number), weight]));
}
