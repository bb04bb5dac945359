import { RouseError } from '../../model/errors.ts';
import type { MachineConfig } from '../../model/machine.ts';

/** `auto`: KVM where a machine of that kind runs under it, else emulation. A forced `kvm` never becomes emulation. */
export type AcceleratorSetting = 'auto' | 'kvm' | 'tcg';

/** What decides whether KVM carries a machine: KVM may run one kind and not another. */
export interface Variant {
	firmware: 'bios' | 'efi';
	/** With the Hyper-V enlightenments that Windows expects of a hypervisor. */
	enlightenments: boolean;
}

export const variants: readonly Variant[] = [
	{ firmware: 'bios', enlightenments: false },
	{ firmware: 'efi', enlightenments: false },
	{ firmware: 'bios', enlightenments: true },
	{ firmware: 'efi', enlightenments: true },
];

export function variantOf({ firmware, os }: Pick<MachineConfig, 'firmware' | 'os'>): Variant {
	return { firmware, enlightenments: os === 'windows' };
}

/** For people, as the subject of a sentence. */
export function machinesOf({ firmware, enlightenments }: Variant): string {
	const name = firmware === 'bios' ? 'BIOS' : 'EFI';
	return enlightenments ? `Windows machines with ${name}` : `${name} machines`;
}

/** How the instructions of a machine are run, and why so. */
export interface Acceleration {
	accelerator: 'kvm' | 'tcg';
	/** Whether the guest is offered Hyper-V's enlightenments; only under KVM. */
	enlightenments: boolean;
	reason: string;
	/** What a person should know before they say yes. */
	warnings: readonly string[];
}

/** What is known of a variant under KVM. */
export interface KvmAnswer {
	works: boolean;
	reason: string;
}

/**
 * Decides how a machine of that kind is run. KVM without the enlightenments comes before emulation. `ask` is called only
 * for what the answer depends on, and not at all for a forced `tcg`. Throws `precheck_failed` when KVM is forced and does
 * not run such machines.
 */
export async function accelerationFor(
	variant: Variant,
	setting: AcceleratorSetting,
	ask: (variant: Variant) => Promise<KvmAnswer>,
): Promise<Acceleration> {
	const machines = machinesOf(variant);
	if (setting === 'tcg')
		return { accelerator: 'tcg', enlightenments: false, reason: 'emulation (TCG) was asked for', warnings: [] };
	const whole = await ask(variant);
	if (whole.works)
		return { accelerator: 'kvm', enlightenments: variant.enlightenments, reason: whole.reason, warnings: [] };
	const plain = variant.enlightenments ? await ask({ ...variant, enlightenments: false }) : whole;
	if (plain.works) {
		const reason = `without Hyper-V enlightenments: ${whole.reason}`;
		const warnings = [`${machines} run under KVM ${reason}`];
		return { accelerator: 'kvm', enlightenments: false, reason, warnings };
	}
	if (setting === 'kvm') throw kvmDoesNotWork(machines, plain.reason);
	return emulated(`${machines} are`, plain.reason);
}

/** The last rung: right, but slow. `who`: the subject and its verb. */
export function emulated(who: string, reason: string): Acceleration {
	const warnings = [`${who} emulated (TCG), which is slow: ${reason}`];
	return { accelerator: 'tcg', enlightenments: false, reason, warnings };
}

function kvmDoesNotWork(machines: string, reason: string): RouseError {
	return new RouseError('precheck_failed', `${machines} cannot run here, since KVM is demanded: ${reason}`, {
		hint: 'give this host a KVM that works (inside a virtual machine: nested virtualisation), or allow emulation: accelerator: auto',
	});
}

/**
 * QEMU's `-cpu`. `host` is all that the processor has; `max` all that TCG has, less erms and fsrm: Linux uses `rep movsb`
 * for every copy when these are offered, and TCG runs it byte by byte.
 */
export function cpuModel({
	accelerator,
	enlightenments,
}: Pick<Acceleration, 'accelerator' | 'enlightenments'>): string {
	if (accelerator === 'tcg') return 'max,erms=off,fsrm=off';
	// docs/system/i386/hyperv.rst of QEMU
	return enlightenments ? 'host,hv_relaxed,hv_vapic,hv_spinlocks=0x1fff,hv_time' : 'host';
}
