import type { BenchImageName, BenchRowName, BenchTargets, BenchUnit } from '../../model/bench.ts';
import type { Stock } from './stock.ts';
import type { Scope } from './scope.ts';

/** One run of one side. */
export interface Taken {
	value: number;
	cpuSeconds: number;
	peakMiB: number | null;
}

/** `pair` counts from 0; both sides of one get the same number, and are to do the same work. */
export type Side = (pair: number) => Promise<Taken>;

export interface Sides {
	ours: Side;
	/** Absent where there is no peer. */
	theirs?: Side;
}

/** A line of the table: how one piece of work is measured against who does it as well. */
export interface Row {
	name: BenchRowName;
	title: string;
	peer: string | null;
	unit: BenchUnit;
	/**
	 * How the two make the ratio: of seconds theirs by ours, of rates ours by theirs, so that more is better; of memory, sizes and
	 * latencies ours by theirs, so that less is.
	 */
	ratio: 'theirs/ours' | 'ours/theirs';
	targets: BenchTargets | null;
	/** The first is what the targets are of. */
	images: readonly BenchImageName[];
	/** What comes out is the same each time: once is enough. */
	once?: boolean;
	/** Programs besides our own, by their names in cli/setup. */
	tools: readonly string[];
	/** Makes what a run needs and compares what both sides give, byte for byte where they give bytes. */
	prepare(stock: Stock, image: BenchImageName, scope: Scope): Promise<Sides>;
}

export function ratioWants(wants: 'least' | 'most', commit: number, stretch: number): BenchTargets {
	return { of: 'ratio', wants, commit, stretch };
}

/** Of seconds or MiB, for rows that are not held against a peer. */
export function atMost(commit: number, stretch: number): BenchTargets {
	return { of: 'value', wants: 'most', commit, stretch };
}
