import type { Spread } from '../../model/bench.ts';

export function medianOf(values: readonly number[]): number {
	const sorted = values.toSorted((a, b) => a - b);
	const [low = 0, high = 0] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
	return (low + high) / 2;
}

export function spreadOf(values: readonly number[]): Spread {
	return { median: medianOf(values), least: Math.min(...values), most: Math.max(...values) };
}
