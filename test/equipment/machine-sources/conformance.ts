/**
 * What every machine source is held to, beside the words of sources/machine/contract.ts. Run each case with a bench of its own:
 *
 *     for (const { name, run } of sourceConformance(makeBench)) test(name, run)
 */
import type { MakeSourceBench, SourceCase } from './bench.ts';
import { historyCases } from './history-cases.ts';
import { incrementCases } from './increment-cases.ts';
import { momentCases } from './moment-cases.ts';

export interface BoundSourceCase {
	name: string;
	/** Makes a bench, runs the case on it and disposes of it. */
	run: () => Promise<void>;
}

/** `tellsChanges`: as the bench says it. */
export function sourceConformance(
	makeBench: MakeSourceBench,
	{ tellsChanges = true }: { tellsChanges?: boolean } = {},
): BoundSourceCase[] {
	return [...momentCases, ...(tellsChanges ? [...incrementCases, ...historyCases] : [])].map(one => ({
		name: one.name,
		run: () => runCase(one, makeBench),
	}));
}

async function runCase(one: SourceCase, makeBench: MakeSourceBench): Promise<void> {
	const bench = await makeBench();
	try {
		await one.run(bench);
	} finally {
		await bench.dispose();
	}
}
