/** What the text files beside the modules of Linux say. */

/** Modules of drivers that platforms need; of no others is kept where they are. */
export const lookedForModules: readonly string[] = [
	'hv_vmbus',
	'hv_storvsc',
	'hv_netvsc',
	'virtio_pci',
	'virtio_blk',
	'virtio_scsi',
	'virtio_net',
	'ata_piix',
	'ahci',
	'sd_mod',
	'e1000e',
];

/** The module that a path is of: `kernel/drivers/scsi/hv_storvsc.ko.xz` is `hv_storvsc`. Undefined for another file. */
export function moduleNameOf(path: string): string | undefined {
	const name = /(?:^|\/)([\w-]+)\.ko(?:\.(?:gz|xz|zst))?$/.exec(path)?.[1];
	return name?.replaceAll('-', '_');
}

/** Of `modules.builtin` (https://docs.kernel.org/kbuild/kbuild.html), and of `modules.order`: a path a line. */
export function builtInModules(text: string): Set<string> {
	return modulesIn(text, line => line);
}

/** Of `modules.dep`, a text file (depmod(8)): a path, a colon, and those it depends on. */
export function dependingModules(text: string): Set<string> {
	return modulesIn(text, line => line.split(':', 1)[0] ?? '');
}

function modulesIn(text: string, pathOf: (line: string) => string): Set<string> {
	const names = text.split('\n').map(line => moduleNameOf(pathOf(line).trim()));
	return new Set(names.filter(name => name !== undefined));
}

/**
 * Of a file of modprobe.d(5): modules that nothing loads by what they drive, or not at all. That `install` runs something
 * else than nothing is not told apart from that it loads the module.
 */
export function forbiddenModules(text: string): string[] {
	return text.split('\n').flatMap(line => {
		const [command, module, program] = line.trim().split(/\s+/);
		const forbids =
			command === 'blacklist' || (command === 'install' && /^\/(usr\/)?bin\/(true|false)$/.test(program ?? ''));
		return forbids && module ? [module.replaceAll('-', '_')] : [];
	});
}
