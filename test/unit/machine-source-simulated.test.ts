import { suite, test } from 'node:test';
import { sourceConformance } from '../equipment/machine-sources/conformance.ts';
import { makeSimulatedMachineBench } from '../equipment/simulated-machine-bench.ts';

for (const flavour of ['snapshots', 'bitmaps'] as const)
	suite(`a simulated machine whose platform has ${flavour}`, () => {
		for (const { name, run } of sourceConformance(() => makeSimulatedMachineBench({ flavour }))) test(name, run);
	});
