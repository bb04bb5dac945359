import { join } from 'node:path';
import { defaultUserRange, type UserRange } from '../../system/user-range.ts';
import { asRouseError } from '../../model/errors.ts';
import { runTool } from '../../system/run-tool.ts';
import { type Acceleration, accelerationFor, type AcceleratorSetting, emulated, type Variant } from './acceleration.ts';
import { type AccelerationSummary, summarise } from './acceleration-summary.ts';
import { isRoot, missingSandbox, missingUsers, qemuEnvironment } from './confinement.ts';
import { findFirmwares, type Firmware } from './firmware.ts';
import { installQemu } from './install.ts';
import { currentBootId, KvmAnswers, type KvmAnswersOptions, missingKvm } from './kvm-answers.ts';
import { tryVariant } from './kvm-probe.ts';
import { keptTrial } from './kept-trial.ts';
import { MachineUsers } from './own-user.ts';

/** What QEMU on this host can do; found by asking it, since distributions compile it differently. */
export interface QemuHost {
	systemBinary: string;
	imageTool: string;
	version: string;
	/** The quorum driver: local reads that do not wait for cold ones. */
	quorum: boolean;
	vnc: boolean;
	/** Whom machines run as. */
	users: MachineUsers;
	/** Why it cannot put the filters of confinement.ts on itself; undefined when it can. */
	noSandbox: string | undefined;
	firmwares: readonly Firmware[];
	warnings(): Promise<string[]>;
	/**
	 * How a machine of that kind is run here, by its own setting or else the host's. KVM is tried when it is not known, which
	 * takes seconds. `fallenBack`: why it must not be tried again for this machine; a forced KVM is stronger. Throws
	 * `precheck_failed` when KVM is forced and does not run such machines.
	 */
	accelerationFor(variant: Variant, setting?: AcceleratorSetting, fallenBack?: string): Promise<Acceleration>;
	/** What is known of all kinds; only BIOS machines are tried for it. */
	accelerations(): Promise<AccelerationSummary>;
}

export interface HostOptions {
	systemBinary: string;
	imageTool: string;
	/** Where what is costly to find out is kept: `kvm.json`. */
	cacheDirectory: string;
	/** The host's setting, asked for at each decision. */
	setting: () => Promise<AcceleratorSetting>;
	/** Whom machines run as. */
	users: MachineUsers;
	firmwares?: readonly Firmware[] | undefined;
	/** How KVM is found out about; by default by trying it. */
	kvm?: KvmSource | undefined;
	/** Ends a trial that runs. */
	signal?: AbortSignal | undefined;
}

/** Whether there is a KVM, and what it runs: {@link missingKvm}, {@link tryVariant}. */
export type KvmSource = Pick<KvmAnswersOptions, 'missing' | 'probe'>;

/** As they are called in PATH. */
export const programs = { systemBinary: 'qemu-system-x86_64', imageTool: 'qemu-img' } as const;

/** These say a page and end at once. */
const asking = { silenceMs: 10_000, hint: installQemu, env: qemuEnvironment() };

/** Whether there can be any is tried when it is first asked for. */
export function machineUsers(
	systemBinary: string,
	range = async (): Promise<UserRange> => defaultUserRange,
): MachineUsers {
	return new MachineUsers(
		range,
		keptTrial(async () => missingUsers(systemBinary, await range())),
	);
}

/** Looks once; throws `tool_missing` when QEMU is not installed. */
export async function inspectHost(options: HostOptions): Promise<QemuHost> {
	const { systemBinary, imageTool, cacheDirectory, setting, users, signal } = options;
	const [version, formats, vnc, noSandbox, firmwares, bootId] = await Promise.all([
		systemVersion(systemBinary),
		runTool(systemBinary, ['-drive', 'format=help'], asking),
		runTool(systemBinary, ['-vnc', 'help'], asking),
		missingSandbox(systemBinary),
		options.firmwares ?? findFirmwares(),
		currentBootId(),
		runTool(imageTool, ['--version'], asking),
	]);
	const warnings: string[] = [];
	const quorum = /\bquorum\b/.test(formats.stdout + formats.stderr);
	if (!quorum)
		warnings.push('QEMU has no quorum driver: 16 cold reads that wait for the repository hold up local reads too');
	// Compiled out, it says "VNC support is disabled" or does not know the option; compiled in, it lists its options.
	const hasVnc = vnc.stdout.includes('vnc options');
	if (!hasVnc) warnings.push('QEMU has no VNC: a machine has its serial console only');
	if (noSandbox !== undefined)
		warnings.push(
			`QEMU runs without its sandbox, so that a guest that takes it over may start programs on this host: ${noSandbox}`,
		);
	if (firmwares.length === 0) warnings.push('no UEFI firmware (OVMF) found: machines with efi firmware cannot start');
	const kvm = new KvmAnswers({
		path: join(cacheDirectory, 'kvm.json'),
		bootId,
		qemuVersion: version,
		systemBinary,
		missing: missingKvm,
		probe: variant =>
			users.lend(uid =>
				tryVariant(variant, { systemBinary, sandbox: noSandbox === undefined, uid, firmware: firmwares[0], signal }),
			),
		...options.kvm,
		clock: () => performance.now(),
	});
	return {
		systemBinary,
		imageTool,
		version,
		quorum,
		vnc: hasVnc,
		noSandbox,
		users,
		firmwares,
		warnings: async () => [...warnings, ...(await asRoot(users))],
		accelerationFor: async (variant, own, fallenBack) => {
			const wanted = own ?? (await setting());
			if (fallenBack !== undefined && wanted === 'auto') return emulated('this machine is', fallenBack);
			return accelerationFor(variant, wanted, one => kvm.ask(one));
		},
		accelerations: async () => summarise(await setting(), kvm),
	};
}

async function asRoot(users: MachineUsers): Promise<string[]> {
	const missing = isRoot() ? await users.missing().catch(thrown => asRouseError(thrown).message) : undefined;
	if (missing === undefined) return [];
	return [`QEMU runs as root, so that a guest that takes it over has all of this host: ${missing}`];
}

async function systemVersion(systemBinary: string): Promise<string> {
	const { stdout } = await runTool(systemBinary, ['--version'], asking);
	return stdout.split('\n')[0]?.replace('QEMU emulator version ', '').trim() ?? 'unknown';
}
