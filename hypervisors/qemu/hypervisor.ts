import { asRouseError } from '../../model/errors.ts';
import type { Hypervisor, HypervisorReport, MachineDefinition } from '../contract.ts';
import type { AcceleratorSetting } from './acceleration.ts';
import type { Firmware } from './firmware.ts';
import { inspectHost, type KvmSource, programs, type QemuHost, reportOf } from './host.ts';
import { QemuMachine } from './machine.ts';
import type { ConnectQmp } from './monitor.ts';
import { QmpClient } from './qmp-client.ts';

export interface QemuOptions {
	/** Where it is kept which machines KVM runs here (`kvm.json`); made when it is not there. */
	cacheDirectory: string;
	systemBinary?: string;
	imageTool?: string;
	/** For machines that have no setting of their own, asked for at each decision; `auto` by default. */
	accelerator?: () => Promise<AcceleratorSetting>;
	/** By default OVMF is looked for where distributions put it. */
	firmwares?: readonly Firmware[];
	connect?: ConnectQmp;
	/** By default KVM is tried. */
	kvm?: KvmSource;
}

/** QEMU, started and driven directly. Nothing is looked at before the first call. */
export function createQemuHypervisor(options: QemuOptions): Hypervisor {
	const { systemBinary = programs.systemBinary, imageTool = programs.imageTool, cacheDirectory } = options;
	const connect = options.connect ?? QmpClient.connect.bind(QmpClient);
	const { firmwares, kvm, accelerator: setting = async () => 'auto' } = options;
	let inspection: Promise<QemuHost> | undefined;
	const inspect = () => inspectHost({ systemBinary, imageTool, cacheDirectory, setting, firmwares, kvm });
	const host = (): Promise<QemuHost> => {
		// A failure is not kept: QEMU may be installed while the supervisor runs.
		inspection ??= inspect().catch(error => {
			inspection = undefined;
			throw error;
		});
		return inspection;
	};
	return {
		report: () => host().then(reportOf, unusableReport),
		machine: (definition: MachineDefinition) => new QemuMachine(definition, host, connect),
	};
}

function unusableReport(thrown: unknown): HypervisorReport {
	const error = asRouseError(thrown);
	if (error.code !== 'tool_missing') throw thrown;
	return {
		name: 'qemu',
		version: undefined,
		accelerator: 'unknown',
		firmwares: [],
		warnings: [],
		unusable: { code: 'tool_missing', message: error.message, hint: error.hint ?? 'install QEMU' },
	};
}
