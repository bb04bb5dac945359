import { suite, test } from 'node:test';
import { sourceConformance } from '../equipment/machine-sources/conformance.ts';
import { makeQemuSourceBench } from '../equipment/source-qemu-bench.ts';

suite('a running QEMU', () => {
	for (const { name, run } of sourceConformance(() => makeQemuSourceBench())) test(name, run);
});
