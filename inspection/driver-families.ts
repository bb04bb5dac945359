import type { BootFacts, KernelFacts } from '../model/boot-facts.ts';

/** By family, the modules with which Linux finds its disks. */
const families: readonly (readonly [name: string, modules: readonly string[]])[] = [
	['hyperv', ['hv_vmbus', 'hv_storvsc', 'sd_mod']],
	['virtio', ['virtio_pci', 'virtio_blk']],
];

/** Families of drivers by which the newest kernel, the one that boot loaders choose, finds its disks. */
export function driverFamiliesIn({ kernels }: Pick<BootFacts, 'kernels'>): string[] {
	const newest = kernels[0];
	if (newest === undefined) return [];
	return families.filter(([, modules]) => modules.every(module => isEarly(newest, module))).map(([name]) => name);
}

function isEarly({ modules }: KernelFacts, module: string): boolean {
	const early = modules[module]?.early;
	return early === 'kernel' || early === 'initramfs';
}
