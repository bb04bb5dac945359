/** Whether a guest finds its disks on a platform, by what a look into them has told: what a person should know before. */
import type { BootFacts, DeviceName, KernelFacts, WindowsFacts } from '../model/boot-facts.ts';
import type { MachineConfig } from '../model/machine.ts';

/** What a platform gives a guest, by what Linux and Windows need for it. */
export interface GuestNeeds {
	/** As a sentence goes on: "on Hyper-V". */
	platform: string;
	/** The family of drivers as a specification names it. */
	family: string;
	/** Modules of Linux with which it finds its disks: all of one of these ways, the usual one first. */
	linuxDisks: readonly (readonly string[])[];
	/** Modules of Linux without which it does not find its NICs. */
	linuxNics: readonly string[];
	/** Services of Windows that must be started by its boot loader: all of one of these ways, the usual one first. */
	windowsDisks: readonly (readonly string[])[];
	/** What Linux calls the disks: `sd`, `vd`. */
	diskName: string;
	/** Whether it is told when nothing is known of the drivers: where a guest may well come without them. */
	tellsUnknown: boolean;
	/** What helps when the drivers for the disks are missing, beside adding them. */
	otherWay?: string | undefined;
}

/** For a guest with Linux or Windows; of others nothing is known. */
export function bootWarnings(config: MachineConfig, needs: GuestNeeds): string[] {
	const { os, boot } = config;
	const windows = boot?.windows ?? null;
	const [newest, ...older] = boot?.kernels ?? [];
	if (os === 'windows') return warnWindows(windows, config, needs);
	if (os !== 'linux') return [];
	if (windows !== null && newest === undefined) return [otherSystem, ...warnWindows(windows, config, needs)];
	const names = warnNames(boot?.deviceNames ?? [], config.disks.length, needs);
	if (newest === undefined) return [...warnUnknown(needs.linuxDisks, config, needs), ...names];
	return [
		...warnDisks(newest, older, config, needs),
		...(config.nics.length > 0 ? warnNics(newest, needs) : []),
		...names,
	];
}

const otherSystem =
	'Windows is on its disks, but the restore point says linux, and devices are chosen by that: import it with os: windows in a --spec';

function warnDisks(
	newest: KernelFacts,
	older: readonly KernelFacts[],
	config: MachineConfig,
	needs: GuestNeeds,
): string[] {
	const ways = needs.linuxDisks;
	if (findsDisks(newest, ways)) return [];
	if (ways.some(names => missingIn(newest, names).length === 0)) return warnUnknown(ways, config, needs);
	const other = older.find(kernel => findsDisks(kernel, ways));
	const remedies = [
		other ? [`choose kernel ${other.version} in its boot menu, which has them`] : [],
		needs.otherWay === undefined ? [] : [needs.otherWay],
		['add them to its initramfs and back it up again'],
	];
	const lacking = missingIn(newest, ways[0] ?? []).join(', ');
	return [
		`kernel ${newest.version} has no ${lacking} built in or in its initramfs: on ${needs.platform} it does not find its disks; ${remedies.flat().join(', or ')}`,
	];
}

function findsDisks({ modules }: KernelFacts, ways: GuestNeeds['linuxDisks']): boolean {
	return ways.some(names => names.every(name => ['kernel', 'initramfs'].includes(modules[name]?.early ?? 'no')));
}

/** Also a module that is there and forbidden, and one that is not even installed. */
function missingIn({ modules }: KernelFacts, names: readonly string[]): string[] {
	return names.filter(name => {
		const { early = null, installed = null } = modules[name] ?? {};
		return early === 'no' || early === 'blocked' || (early === null && installed === false);
	});
}

function warnNics(newest: KernelFacts, { linuxNics, platform }: GuestNeeds): string[] {
	const lacking = linuxNics.filter(name => newest.modules[name]?.installed === false);
	if (lacking.length === 0) return [];
	return [`kernel ${newest.version} comes without ${lacking.join(', ')}: on ${platform} it does not find its NICs`];
}

function warnWindows(windows: WindowsFacts | null, config: MachineConfig, needs: GuestNeeds): string[] {
	const { windowsDisks, platform, otherWay } = needs;
	if (windows === null) return warnUnknown(windowsDisks, config, needs);
	const startOf = (name: string) => windows.starts[name] ?? null;
	if (windowsDisks.some(services => services.every(name => startOf(name) === 0))) return [];
	const told = (windowsDisks[0] ?? [])
		.filter(name => startOf(name) !== 0)
		.map(name => `${name} (${startOf(name) === null ? 'not there' : `Start is ${startOf(name)}`})`);
	const remedy = otherWay === undefined ? '' : `; ${otherWay}`;
	return [`Windows does not start ${told.join(', ')} when it boots: on ${platform} it may not find its disks${remedy}`];
}

function warnUnknown(
	ways: readonly (readonly string[])[],
	{ boot, drivers }: MachineConfig,
	{ tellsUnknown, platform, family }: GuestNeeds,
): string[] {
	if (!tellsUnknown || drivers.some(({ name }) => name === family)) return [];
	const names = ways.map(way => way.join(', ')).join(' or ');
	return [
		`whether it has ${names}, without which it does not find its disks on ${platform}, is not known: ${whyUnknown(boot ?? null)}`,
	];
}

function whyUnknown(boot: BootFacts | null): string {
	if (boot === null) return 'nobody looked into its disks';
	return boot.notLookedAt[0] ?? 'the disks do not tell';
}

/** A name that stays the same where there is one disk only is not told: it is that one's. */
function warnNames(names: readonly DeviceName[], disks: number, { platform, diskName }: GuestNeeds): string[] {
	const changed = names.filter(({ device }) => disks > 1 || !device.startsWith(`/dev/${diskName}`));
	return [...new Set(changed.map(({ file }) => file))].map(file => {
		const devices = changed.filter(name => name.file === file).map(({ device }) => device);
		return `${file} names ${devices.join(', ')}: on ${platform} disks are /dev/${diskName}a and so on, in any order; by UUID it finds them everywhere`;
	});
}
