import { suite, test } from 'node:test';
import { conformance } from '../../hypervisors/conformance.ts';
import { switchPlaces } from '../../hypervisors/qemu/switch-online.ts';
import { makeQemuBench } from '../equipment/qemu-bench.ts';

suite('QEMU keeps the contract of a hypervisor', { concurrency: 2 }, () => {
	const places = [...switchPlaces, 'mark.local', 'mark.target'];
	for (const { name, run } of conformance(makeQemuBench, { places })) test(name, run);
});
