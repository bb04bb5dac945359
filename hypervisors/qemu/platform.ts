import { availableParallelism } from 'node:os';
import { RouseError } from '../../model/errors.ts';
import type { Hardware, PlatformData } from '../../model/hardware.ts';
import { refuseTooLarge, sizeChoices, sizeWarnings } from '../../model/machine-size.ts';
import type { CallOptions, HardwareRequest, Platform } from '../contract.ts';
import type { UserRange } from '../../system/user-range.ts';
import { unlessAborted } from '../../system/unless-aborted.ts';
import { type AcceleratorSetting, variantOf } from './acceleration.ts';
import { addressesInUse, refuseAddressesTaken } from './address-in-use.ts';
import { networksOfHost } from './host-networks.ts';
import { chooseDevices, type QemuPlatformOptions, readOptions } from './choose-hardware.ts';
import type { Firmware } from './firmware.ts';
import { inspectHost, machineUsers, type KvmSource, programs, type QemuHost } from './host.ts';
import { currentBootId } from './kvm-answers.ts';
import { QemuMachine } from './machine.ts';
import type { ConnectQmp } from './monitor.ts';
import { QmpClient } from '../../qmp/client.ts';
import { readMemory, reportOf, resourcesOfHost } from './report.ts';
import { checkPorts } from './user-network.ts';

export interface QemuOptions {
	/** Where it is kept which machines KVM runs here (`kvm.json`); made when it is not there. */
	cacheDirectory: string;
	/** A directory where machines lie: its file system is the one whose space is told of. */
	datastore: string;
	/** `accelerator`, `disks`, `nics` for machines that have no such option of their own; asked for at each decision. */
	defaults?: () => Promise<PlatformData>;
	/** Whom machines run as where Rouse is root, asked for at each choice; a default range without it. */
	machineUids?: () => Promise<UserRange>;
	systemBinary?: string;
	imageTool?: string;
	/** By default OVMF is looked for where distributions put it. */
	firmwares?: readonly Firmware[];
	connect?: ConnectQmp;
	/** By default KVM is tried. */
	kvm?: KvmSource;
}

/** QEMU, started and driven directly. Nothing is looked at before the first call. */
export function createQemuPlatform(options: QemuOptions): Platform {
	const connect = options.connect ?? QmpClient.connect.bind(QmpClient);
	const { defaults = async () => ({}) } = options;
	const users = machineUsers(options.systemBinary ?? programs.systemBinary, options.machineUids);
	const host = inspectedOnce({ ...options, users }, async () => readOptions(await defaults()).accelerator ?? 'auto');
	return {
		kind: 'qemu',
		report: () => reportOf(host, options.datastore),
		resources: { everyMs: 0, look: resourcesOfHost },
		bootId: currentBootId,
		chooseHardware: async (request, { signal }: CallOptions = {}) => {
			const own = readOptions(request.options);
			const wished = { ...readOptions(await defaults()), ...own, accelerator: own.accelerator };
			const qemu = await host();
			return unlessAborted(signal, () => chooseHardware(request, wished, qemu));
		},
		machine: (definition, gate) => new QemuMachine(definition, gate, { host, users, connect }),
	};
}

async function chooseHardware(
	request: HardwareRequest,
	options: QemuPlatformOptions,
	host: QemuHost,
): Promise<Hardware> {
	const memory = await readMemory();
	refuseTooLarge(request.config, 'the host', memory);
	const { data, choices, warnings } = chooseDevices(request, options, await networksOfHost());
	if (request.config.firmware === 'efi' && host.firmwares.length === 0)
		throw new RouseError('precheck_failed', 'the machine needs UEFI firmware, and there is none on this host', {
			hint: 'apt-get install ovmf',
		});
	await checkPorts(data.forwards, { asUser: (await host.users.missing()) === undefined });
	await refuseAddressesTaken(request.nics);
	const inUse = await addressesInUse(request.nics);
	const {
		accelerator,
		reason,
		warnings: slow,
	} = await host.accelerationFor(variantOf(request.config), options.accelerator);
	return {
		platform: 'qemu',
		data,
		agent: data.agent,
		choices: [
			...sizeChoices(request.config, request.had),
			...choices,
			{ what: 'acceleration', chosen: accelerator, why: reason },
		],
		warnings: [
			...sizeWarnings(request.config, { ...memory, cpus: availableParallelism() }),
			...warnings,
			...inUse,
			...slow,
		],
	};
}

function inspectedOnce(
	options: QemuOptions & Pick<QemuHost, 'users'>,
	setting: () => Promise<AcceleratorSetting>,
): () => Promise<QemuHost> {
	const {
		systemBinary = programs.systemBinary,
		imageTool = programs.imageTool,
		cacheDirectory,
		firmwares,
		kvm,
		users,
	} = options;
	let inspection: Promise<QemuHost> | undefined;
	return () => {
		// A failure is not kept: QEMU may be installed while the supervisor runs.
		inspection ??= inspectHost({ systemBinary, imageTool, cacheDirectory, setting, firmwares, kvm, users }).catch(
			error => {
				inspection = undefined;
				throw error;
			},
		);
		return inspection;
	};
}
