/** Whether a guest finds its disks on a platform, by what a look into them has told: what a person should know before. */
import type { DeviceName, KernelFacts, WindowsFacts } from '../model/boot-facts.ts';
import type { MachineConfig } from '../model/machine.ts';

/** What a platform gives a guest, by what Linux and Windows need for it. */
export interface GuestNeeds {
	/** As a sentence goes on: "on Hyper-V". */
	platform: string;
	/** The family of drivers as a specification names it. */
	family: string;
	/** Modules without which it does not find its disks. */
	disks: readonly string[];
	/** Modules without which it does not find its NICs. */
	nics: readonly string[];
	/** What Linux calls the disks: `sd`, `vd`. */
	diskName: string;
	/** Whether it is told when nothing is known of the drivers: where Linux may well come without them. */
	tellsUnknown: boolean;
	/** Services of Windows of which the boot loader must start one of each, for it to find its disks. */
	windowsDisks: readonly (readonly string[])[];
	/** What helps when the drivers for the disks are missing, beside adding them. */
	otherWay?: string | undefined;
}

/** For a guest with Linux or Windows; of others nothing is known. */
export function bootWarnings(config: MachineConfig, needs: GuestNeeds): string[] {
	const windows = config.boot?.windows ?? null;
	if (config.os === 'windows') return windows === null ? [] : warnWindows(windows, needs);
	if (config.os !== 'linux') return [];
	if (windows !== null && config.boot?.kernels.length === 0)
		return [...warnOtherSystem(), ...warnWindows(windows, needs)];
	const [newest, ...older] = config.boot?.kernels ?? [];
	const names = warnNames(config.boot?.deviceNames ?? [], config.disks.length, needs);
	if (newest === undefined) return [...warnUnknown(config, needs), ...names];
	return [
		...warnDisks(newest, older, config, needs),
		...(config.nics.length > 0 ? warnNics(newest, needs) : []),
		...names,
	];
}

function warnDisks(
	newest: KernelFacts,
	older: readonly KernelFacts[],
	config: MachineConfig,
	needs: GuestNeeds,
): string[] {
	const lacking = missingIn(newest, needs.disks);
	if (lacking.length === 0)
		return needs.disks.some(name => earlyOf(newest, name) === null) ? warnUnknown(config, needs) : [];
	const other = older.find(kernel => needs.disks.every(name => isEarly(kernel, name)));
	const ways = [
		other ? [`choose kernel ${other.version} in its boot menu, which has them`] : [],
		needs.otherWay === undefined ? [] : [needs.otherWay],
		['add them to its initramfs and back it up again'],
	];
	return [
		`kernel ${newest.version} has no ${lacking.join(', ')} built in or in its initramfs: on ${needs.platform} it does not find its disks; ${ways.flat().join(', or ')}`,
	];
}

function warnWindows({ starts }: WindowsFacts, { windowsDisks, platform, otherWay }: GuestNeeds): string[] {
	const lacking = windowsDisks.filter(services => !services.some(name => starts[name] === 0));
	if (lacking.length === 0) return [];
	const told = lacking.map(services =>
		services.map(name => `${name} (${startText(starts[name] ?? null)})`).join(' or '),
	);
	const way = otherWay === undefined ? '' : `; ${otherWay}`;
	return [`Windows does not start ${told.join(', ')} when it boots: on ${platform} it may not find its disks${way}`];
}

function startText(start: number | null): string {
	return start === null ? 'not there' : `Start is ${start}`;
}

function warnOtherSystem(): string[] {
	return [
		'Windows is on its disks, but the restore point says linux, and devices are chosen by that: import it with os: windows in a --spec',
	];
}

/** Also a module that is there and forbidden, and one that is not even installed. */
function missingIn({ modules }: KernelFacts, names: readonly string[]): string[] {
	return names.filter(name => {
		const { early = null, installed = null } = modules[name] ?? {};
		return early === 'no' || early === 'blocked' || (early === null && installed === false);
	});
}

function warnNics(newest: KernelFacts, needs: GuestNeeds): string[] {
	const lacking = needs.nics.filter(name => newest.modules[name]?.installed === false);
	if (lacking.length === 0) return [];
	return [
		`kernel ${newest.version} comes without ${lacking.join(', ')}: on ${needs.platform} it does not find its NICs`,
	];
}

function warnUnknown(
	{ boot, drivers }: MachineConfig,
	{ tellsUnknown, platform, family, disks }: GuestNeeds,
): string[] {
	if (!tellsUnknown || drivers.some(({ name }) => name === family)) return [];
	const first = boot?.notLookedAt[0];
	const why = first === undefined ? 'nobody looked into its disks' : first;
	return [
		`whether it has ${disks.join(', ')}, without which it does not find its disks on ${platform}, is not known: ${why}`,
	];
}

function earlyOf({ modules }: KernelFacts, name: string) {
	return modules[name]?.early ?? null;
}

function isEarly(kernel: KernelFacts, name: string): boolean {
	const early = earlyOf(kernel, name);
	return early === 'kernel' || early === 'initramfs';
}

/** A name that stays the same where there is one disk only is not told: it is that one's. */
function warnNames(names: readonly DeviceName[], disks: number, { platform, diskName }: GuestNeeds): string[] {
	const changed = names.filter(({ device }) => disks > 1 || !device.startsWith(`/dev/${diskName}`));
	return [...new Set(changed.map(({ file }) => file))].map(file => {
		const devices = changed.filter(name => name.file === file).map(({ device }) => device);
		return `${file} names ${devices.join(', ')}: on ${platform} disks are /dev/${diskName}a and so on, in any order; by UUID it finds them everywhere`;
	});
}
