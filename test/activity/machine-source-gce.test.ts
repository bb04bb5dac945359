import { suite, test } from 'node:test';
import { makeGceBench } from '../equipment/gce/bench.ts';
import { sourceConformance } from '../equipment/machine-sources/conformance.ts';

suite('archives of Cloud Storage, at a stub of it', () => {
	for (const { name, run } of sourceConformance(() => makeGceBench(), { tellsChanges: false })) test(name, run);
});
