/**
 * What every platform is held to, beside the words of contract.ts. Run each case with a bench of its own:
 *
 *     for (const { name, run } of conformance(makeBench, { places })) test(name, () => run())
 */
import type { ConformanceCase, MakeBench } from './conformance/bench.ts';
import { hostCases } from './conformance/host-cases.ts';
import { lifecycleCases } from './conformance/lifecycle-cases.ts';
import { switchCases } from './conformance/switch-cases.ts';
import { targetCases } from './conformance/target-cases.ts';

export type { Bench, BenchGuest, ConformanceCase, GuestWrite, MakeBench } from './conformance/bench.ts';

export interface BoundCase {
	name: string;
	/** Makes a bench, runs the case on it and disposes of it. */
	run: () => Promise<void>;
}

/** The suite for one platform. `places` are the names its `switchToTarget` hands to `reached`. */
export function conformance(makeBench: MakeBench, { places }: { places?: readonly string[] } = {}): BoundCase[] {
	return [...hostCases, ...targetCases, ...lifecycleCases, ...switchCases(places)].map(one => ({
		name: one.name,
		run: () => runCase(one, makeBench),
	}));
}

async function runCase(one: ConformanceCase, makeBench: MakeBench): Promise<void> {
	const bench = await makeBench();
	try {
		await one.run(bench);
	} finally {
		await bench.dispose();
	}
}
