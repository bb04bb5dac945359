import { suite, test } from 'node:test';
import { makeEc2Bench } from '../equipment/ec2/bench.ts';
import { sourceConformance } from '../equipment/machine-sources/conformance.ts';

suite('an EC2 instance, of a cloud in memory', () => {
	for (const { name, run } of sourceConformance(() => makeEc2Bench())) test(name, run);
});
