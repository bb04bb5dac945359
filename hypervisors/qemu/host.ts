import { join } from 'node:path';
import { runTool } from '../../system/run-tool.ts';
import type { HypervisorReport } from '../contract.ts';
import { findFirmwares, type Firmware } from './firmware.ts';
import { installQemu } from './install.ts';
import { probeKvm } from './kvm-probe.ts';

/** What QEMU on this host can do; found by asking it, since distributions compile it differently. */
export interface QemuHost {
	systemBinary: string;
	imageTool: string;
	version: string;
	accelerator: 'kvm' | 'tcg';
	/** The quorum driver: local reads that do not wait for cold ones. */
	quorum: boolean;
	vnc: boolean;
	firmwares: readonly Firmware[];
	warnings: readonly string[];
}

export interface HostOptions {
	systemBinary: string;
	imageTool: string;
	/** Where what is costly to find out is kept: `kvm.json`. */
	cacheDirectory: string;
	/** Taken as given instead of tried. */
	accelerator?: 'kvm' | 'tcg' | undefined;
	firmwares?: readonly Firmware[] | undefined;
}

/** These say a page and end at once. */
const asking = { silenceMs: 10_000, hint: installQemu };

/** Looks once; throws `tool_missing` when QEMU is not installed. */
export async function inspectHost(options: HostOptions): Promise<QemuHost> {
	const { systemBinary, imageTool, cacheDirectory } = options;
	const [version, formats, vnc, firmwares] = await Promise.all([
		systemVersion(systemBinary),
		runTool(systemBinary, ['-drive', 'format=help'], asking),
		runTool(systemBinary, ['-vnc', 'help'], asking),
		options.firmwares ?? findFirmwares(),
		runTool(imageTool, ['--version'], asking),
	]);
	const warnings: string[] = [];
	const quorum = /\bquorum\b/.test(formats.stdout + formats.stderr);
	if (!quorum)
		warnings.push('QEMU has no quorum driver: 16 cold reads that wait for the repository hold up local reads too');
	// Compiled out, it says "VNC support is disabled" or does not know the option; compiled in, it lists its options.
	const hasVnc = vnc.stdout.includes('vnc options');
	if (!hasVnc) warnings.push('QEMU has no VNC: a machine has its serial console only');
	let accelerator = options.accelerator;
	if (accelerator === undefined) {
		const kvm = await probeKvm(systemBinary, version, join(cacheDirectory, 'kvm.json'));
		accelerator = kvm.works ? 'kvm' : 'tcg';
		if (!kvm.works) warnings.push(`machines are emulated (TCG), which is slow: ${kvm.reason}`);
	}
	if (firmwares.length === 0) warnings.push('no UEFI firmware (OVMF) found: machines with efi firmware cannot start');
	return { systemBinary, imageTool, version, accelerator, quorum, vnc: hasVnc, firmwares, warnings };
}

async function systemVersion(systemBinary: string): Promise<string> {
	const { stdout } = await runTool(systemBinary, ['--version'], asking);
	return stdout.split('\n')[0]?.replace('QEMU emulator version ', '').trim() ?? 'unknown';
}

export function reportOf(host: QemuHost): HypervisorReport {
	return {
		name: 'qemu',
		version: host.version,
		accelerator: host.accelerator,
		firmwares: host.firmwares.length > 0 ? ['bios', 'efi'] : ['bios'],
		warnings: host.warnings,
		unusable: undefined,
	};
}
