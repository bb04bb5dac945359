import type { BootFacts, KernelFacts } from '../../model/boot-facts.ts';

/** What a look at a machine's disks has told, as lines of `backup show`. */
export function bootLines(boot: BootFacts | null): string[] {
	if (boot === null) return ['Boot      nobody looked how it boots'];
	const names = boot.deviceNames.map(({ file, device }) => `${file} names ${device}`);
	const lines = [
		...boot.kernels.flatMap(kernelLines),
		...windowsLines(boot),
		...names,
		...boot.notLookedAt.map(line => `not looked at: ${line}`),
	];
	return lines.map(line => `Boot      ${line}`);
}

function windowsLines({ windows }: BootFacts): string[] {
	if (windows === null) return [];
	const starts = Object.entries(windows.starts).filter(([, start]) => start !== null);
	return [`Windows; drivers by their Start: ${starts.map(([name, start]) => `${name} ${start}`).join(', ')}`];
}

function kernelLines({ version, modules }: KernelFacts): string[] {
	const named = (...places: KernelFacts['modules'][string]['early'][]) =>
		Object.keys(modules).filter(name => places.includes(modules[name]?.early ?? null));
	const parts: [string, string[]][] = [
		['built in', named('kernel')],
		['in its initramfs', named('initramfs')],
		['forbidden there', named('blocked')],
		['not there', named('no')],
		['not known', named(null)],
	];
	const words = parts.filter(([, names]) => names.length > 0).map(([where, names]) => `${where}: ${names.join(', ')}`);
	return [`kernel ${version}; ${words.join('; ')}`];
}
