import { suite, test } from 'node:test';
import { sourceConformance } from '../equipment/machine-sources/conformance.ts';
import { makeSshMachineBench } from '../equipment/ssh-machine-bench.ts';

suite('a machine that is read over SSH', () => {
	for (const { name, run } of sourceConformance(makeSshMachineBench)) test(name, run);
});
