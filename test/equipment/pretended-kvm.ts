import { readFile } from 'node:fs/promises';
import { anew } from '../../hypervisors/conformance/bench.ts';
import type { MachineDefinition } from '../../hypervisors/contract.ts';
import type { Variant } from '../../hypervisors/qemu/acceleration.ts';
import type { KvmSource } from '../../hypervisors/qemu/host.ts';
import type { ConnectQmp } from '../../hypervisors/qemu/monitor.ts';
import { machinePaths } from '../../hypervisors/qemu/paths.ts';
import { QmpClient } from '../../qmp/client.ts';
import { lockHolder } from '../../system/process-lock.ts';
import type { QemuBench } from './qemu-bench.ts';

/** A KVM of which the probe says the same for all variants. */
export function kvmThat(works: boolean): KvmSource & { asked: Variant[] } {
	const asked: Variant[] = [];
	return {
		asked,
		missing: async () => undefined,
		probe: async variant => {
			asked.push(variant);
			return { works, reason: works ? 'it ran' : 'it died', lasting: true };
		},
	};
}

/** Ends QEMU under KVM as it ends when the kernel refuses a register. */
export const assertionUnderKvm = `case "$*" in *"-accel kvm"*)
	echo "qemu-system-x86_64: error: failed to set MSR 0x10a to 0x69" >&2
	kill -ABRT $$;;
esac`;

/** With `-accel kvm` on its command line, and what this host has instead. */
export const pretendedKvm =
	'for arg do shift; case "$arg" in kvm) arg=tcg;; host*) arg=max;; esac; set -- "$@" "$arg"; done';

/** Monitors that tell of a guest which has crashed under KVM, until another QEMU runs. */
export class PretendedCrash {
	#crashed: { holder: string; status: string } | undefined;

	readonly connect: ConnectQmp = async (path, options) => {
		const qmp = await QmpClient.connect(path, options);
		return {
			get closed() {
				return qmp.closed;
			},
			execute: async (command, args, more) => {
				const crashed = await this.#now();
				if (crashed && command === 'query-status') return { running: false, status: crashed.status };
				if (crashed && command === 'query-kvm') return { enabled: true, present: true };
				return qmp.execute(command, args, more);
			},
			waitForEvent: (matches, timeoutMs) => qmp.waitForEvent(matches, timeoutMs),
			onEvent: listener => qmp.onEvent(listener),
			close: () => qmp.close(),
		};
	};

	#holder: () => Promise<string | undefined> = async () => undefined;

	/** From here on, `status` of RunState in qapi/run-state.json. */
	async begin(made: Pick<QemuBench, 'boot' | 'userGuest'>, status: string): Promise<void> {
		await made.userGuest.execute('stop');
		this.#holder = () => made.boot();
		this.#crashed = { holder: (await made.boot()) ?? '', status };
	}

	async #now(): Promise<{ status: string } | undefined> {
		return this.#crashed?.holder === (await this.#holder()) ? this.#crashed : undefined;
	}
}

/** What follows an option on the command line of the machine that runs. */
export async function optionOf(
	{ definition }: { definition: MachineDefinition },
	option: string,
): Promise<string | undefined> {
	const holder = await lockHolder(machinePaths(definition).lock);
	const args = (await readFile(`/proc/${holder?.pid}/cmdline`, 'utf8')).split('\0');
	return args[args.indexOf(option) + 1];
}

/** With its snapshot, running from the mover; its guest has written nothing. */
export async function started(made: QemuBench): Promise<void> {
	await made.mover.start();
	await anew(made, async machine => {
		await machine.makeTargets();
		await machine.create();
		await machine.snapshot();
		await machine.powerOn('mover');
	});
}
