import { suite, test } from 'node:test';
import { conformance } from '../../hypervisors/conformance.ts';
import { switchPlaces } from '../../hypervisors/qemu/switch-online.ts';
import { makeQemuBench } from '../equipment/qemu-bench.ts';

suite('QEMU keeps the contract of a hypervisor', { concurrency: 2 }, () => {
	for (const { name, run } of conformance(makeQemuBench, { places: switchPlaces })) test(name, run);
});
