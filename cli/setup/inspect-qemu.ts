import {
	type Acceleration,
	type AcceleratorSetting,
	machinesOf,
	type Variant,
	variants,
} from '../../hypervisors/qemu/acceleration.ts';
import { inspectHost, machineUsers, programs, type QemuHost } from '../../hypervisors/qemu/host.ts';
import { asRouseError } from '../../model/errors.ts';
import type { UserRange } from '../../system/user-range.ts';
import type { Check } from './tools.ts';

export interface QemuInspection {
	/** Where the answers are kept, as the supervisor keeps them. */
	cacheDirectory: string;
	setting: AcceleratorSetting;
	machineUids: UserRange;
	signal: AbortSignal;
	/** For a fix. */
	configPath: string;
}

/**
 * Whether QEMU can be confined, and what KVM runs here, for each kind of machine, by running it: seconds when nobody has
 * asked since the boot. That it does not is no fault, since machines are emulated then, unless the configuration demands
 * it.
 */
export async function inspectQemu(inspection: QemuInspection): Promise<Check[]> {
	const { cacheDirectory, setting, machineUids, signal, configPath } = inspection;
	let host: QemuHost;
	try {
		host = await inspectHost({
			...programs,
			cacheDirectory,
			setting: async () => setting,
			users: machineUsers(programs.systemBinary, async () => machineUids),
			signal,
		});
	} catch (thrown) {
		signal.throwIfAborted();
		return variants.map(variant => notTried(variant, thrown));
	}
	const checks = [sandboxOf(host), await usersOf(host)];
	// One after the other: what takes too long counts as not working.
	for (const variant of variants) {
		try {
			checks.push(answered(variant, await host.accelerationFor(variant)));
		} catch (thrown) {
			signal.throwIfAborted();
			const error = asRouseError(thrown);
			if (error.code !== 'precheck_failed') checks.push(notTried(variant, thrown));
			else
				checks.push({ ...about(variant), ok: false, version: null, problem: error.message, fix: `edit ${configPath}` });
		}
	}
	return checks;
}

/** No fault: machines are run without it, and `host list` says so. */
function sandboxOf({ noSandbox }: QemuHost): Check {
	const version = noSandbox === undefined ? 'on' : `off, a guest that takes QEMU over may start programs: ${noSandbox}`;
	const purpose = 'what QEMU may ask of the kernel';
	return { name: 'qemu-sandbox', purpose, ok: true, version, problem: null, fix: null };
}

async function usersOf({ users }: QemuHost): Promise<Check> {
	const missing = await users.missing().catch((thrown: unknown) => asRouseError(thrown).message);
	const version = missing === undefined ? 'one for each machine' : `the one that Rouse has: ${missing}`;
	const purpose = 'whom QEMU runs as';
	return { name: 'qemu-user', purpose, ok: true, version, problem: null, fix: null };
}

function about({ firmware, enlightenments }: Variant): Pick<Check, 'name' | 'purpose'> {
	const name = `kvm-${enlightenments ? 'windows-' : ''}${firmware}`;
	return { name, purpose: `speed of ${machinesOf({ firmware, enlightenments })}` };
}

function answered(variant: Variant, { accelerator, reason }: Acceleration): Check {
	const version = accelerator === 'kvm' ? reason : `emulated, many times slower: ${reason}`;
	return { ...about(variant), ok: true, version, problem: null, fix: null };
}

/** QEMU or the firmware is missing or does not run: other checks say what to do. */
function notTried(variant: Variant, thrown: unknown): Check {
	const version = `not tried: ${asRouseError(thrown).message}`;
	return { ...about(variant), ok: true, version, problem: null, fix: null };
}
