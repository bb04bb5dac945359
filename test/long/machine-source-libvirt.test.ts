import { after, before, suite, test } from 'node:test';
import { sourceConformance } from '../equipment/machine-sources/conformance.ts';
import { Libvirt } from '../equipment/source-libvirt.ts';
import { makeLibvirtSourceBench } from '../equipment/source-libvirt-bench.ts';

suite("a domain of libvirt's", () => {
	let libvirt: Libvirt;
	before(async () => {
		libvirt = await Libvirt.start();
	});
	after(() => libvirt.stop());
	for (const { name, run } of sourceConformance(() => makeLibvirtSourceBench(libvirt))) test(name, run);
});
