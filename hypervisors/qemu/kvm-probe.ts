import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { asRouseError, RouseError } from '../../model/errors.ts';
import { type Acceleration, type KvmAnswer, machinesOf, type Variant } from './acceleration.ts';
import { guestCode } from './boot-sector.ts';
import type { Firmware } from './firmware.ts';
import { crashOf } from './run-state.ts';
import { queryDiskUse, queryStatus } from './monitor-queries.ts';
import { type ProbeEnd, ProbeMachine } from './probe-machine.ts';
import { tellingLine } from './start-failure.ts';
import { inTrialDirectory } from './trial-directory.ts';

export interface ProbeAnswer extends KvmAnswer {
	/** The same question has the same answer until the host boots anew. False where load or shortage may have been why. */
	lasting: boolean;
}

export interface ProbeOptions {
	systemBinary: string;
	/** Under QEMU's sandbox, as machines are run. */
	sandbox: boolean;
	/** Whom it runs as; absent: the user that Rouse is. */
	uid?: number | undefined;
	/** For the EFI variants. */
	firmware: Firmware | undefined;
	signal?: AbortSignal | undefined;
	/** Tests try the programs themselves under TCG. */
	accelerator?: Acceleration['accelerator'];
	limitMs?: number;
}

/**
 * Under TCG the boot sector takes 0.1 s and OVMF 4 s to its first read. A guest that takes that much longer under KVM is
 * better off emulated.
 */
const limits = { bios: 10_000, efi: 30_000 } as const;

/** How often the machine is looked at. */
const everyMs = 20;

/**
 * Runs a machine of that kind and sees whether it gets anywhere: with BIOS a program of our own that goes to long mode and
 * takes interrupts (boot-sector.ts), with EFI the firmware itself, to its first read of a disk. Anything that can be
 * opened as /dev/kvm runs 16-bit code; that says nothing.
 */
export async function tryVariant(variant: Variant, options: ProbeOptions): Promise<ProbeAnswer> {
	const {
		systemBinary,
		sandbox,
		uid,
		firmware,
		signal,
		accelerator = 'kvm',
		limitMs = limits[variant.firmware],
	} = options;
	return inTrialDirectory(async veil => {
		const directory = join(veil, 'machine');
		await mkdir(directory);
		const machine = await ProbeMachine.start({ directory, systemBinary, sandbox, uid, variant, firmware, accelerator });
		const kill = () => machine.kill();
		signal?.addEventListener('abort', kill);
		try {
			return await watch(machine, variant, { accelerator, limitMs, signal });
		} finally {
			signal?.removeEventListener('abort', kill);
			machine.kill();
			await machine.gone;
		}
	});
}

interface Watch {
	accelerator: Acceleration['accelerator'];
	limitMs: number;
	signal: AbortSignal | undefined;
}

async function watch(machine: ProbeMachine, variant: Variant, { accelerator, limitMs, signal }: Watch) {
	const under = `under ${accelerator.toUpperCase()}`;
	const deadline = performance.now() + limitMs;
	for (;;) {
		signal?.throwIfAborted();
		if (machine.ended) return judgeEnd(machine.ended, under);
		const left = deadline - performance.now();
		if (left <= 0) {
			const reason = `${machinesOf(variant)} got nowhere ${under} within ${limitMs} ms`;
			return { works: false, reason, lasting: false };
		}
		const seen = await Promise.race([look(machine, variant, left), machine.gone]);
		if (seen === 'works') return works(under);
		// What it stands on is told on standard error, which may come later than the monitor's answer.
		if (seen !== undefined) {
			const said = tellingLine(await machine.said(500)) ?? seen.crash;
			return { works: false, reason: `a guest died ${under}: ${said}`, lasting: true };
		}
		await Promise.race([machine.gone, delay(Math.min(everyMs, left), undefined, { ref: false })]);
	}
}

/** Undefined: nothing can be said yet. */
async function look(
	machine: ProbeMachine,
	{ firmware }: Variant,
	timeoutMs: number,
): Promise<'works' | { crash: string } | undefined> {
	try {
		const qmp = await machine.monitor(timeoutMs);
		const crash = crashOf((await queryStatus(qmp, { timeoutMs })).status);
		if (crash !== undefined) return { crash };
		if (firmware === 'bios') return undefined;
		const [use] = (await queryDiskUse(qmp, { timeoutMs })).values();
		return use !== undefined && use.reads > 0 ? 'works' : undefined;
	} catch (thrown) {
		// It ended, or does not answer: either is seen outside.
		if (['hypervisor_failed', 'hypervisor_stuck'].includes(asRouseError(thrown).code)) return undefined;
		throw thrown;
	}
}

function works(under: string): ProbeAnswer {
	return { works: true, reason: `a guest ran ${under}`, lasting: true };
}

function judgeEnd({ code, signal, said }: ProbeEnd, under: string): ProbeAnswer {
	// The boot sector's last instruction; see `guestCode`.
	if (code === ((guestCode << 1) | 1)) return works(under);
	// -no-reboot: a triple fault resets the machine.
	if (code === 0) return { works: false, reason: `a guest reset itself ${under}`, lasting: true };
	if (signal === 'SIGKILL') throw new RouseError('hypervisor_failed', `somebody killed the QEMU that tried KVM`);
	const why = tellingLine(said) ?? (signal ? `ended by ${signal}` : `exit code ${code}`);
	// An assertion is of QEMU against KVM. An exit code may be a lack of memory as well.
	return { works: false, reason: `QEMU gave up ${under}: ${why}`, lasting: signal === 'SIGABRT' };
}
