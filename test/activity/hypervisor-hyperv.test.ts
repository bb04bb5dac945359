import { suite, test } from 'node:test';
import { conformance } from '../../hypervisors/conformance.ts';
import { switchPlaces } from '../../hypervisors/hyperv/switch.ts';
import { makeHypervBench } from '../equipment/hyperv-bench.ts';

suite('Hyper-V, simulated, keeps the contract', { concurrency: 2 }, () => {
	const places = [...switchPlaces, 'mark.local', 'mark.target'];
	for (const { name, run } of conformance(() => makeHypervBench(), { places })) test(name, run);
});
