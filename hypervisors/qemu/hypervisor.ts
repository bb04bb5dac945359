import { mkdir } from 'node:fs/promises';
import { asRouseError } from '../../model/errors.ts';
import type { Hypervisor, HypervisorReport, MachineDefinition } from '../contract.ts';
import type { Firmware } from './firmware.ts';
import { inspectHost, type QemuHost, reportOf } from './host.ts';
import { QemuMachine } from './machine.ts';
import type { ConnectQmp } from './monitor.ts';
import { QmpClient } from './qmp-client.ts';

export interface QemuOptions {
	/** Where the answer of the KVM probe is kept (`kvm.json`); made when it is not there. */
	cacheDirectory: string;
	systemBinary?: string;
	imageTool?: string;
	/** Taken as given; by default KVM is tried, and TCG is the fallback. */
	accelerator?: 'kvm' | 'tcg';
	/** By default OVMF is looked for where distributions put it. */
	firmwares?: readonly Firmware[];
	connect?: ConnectQmp;
}

/** QEMU, started and driven directly. Nothing is looked at before the first call. */
export function createQemuHypervisor(options: QemuOptions): Hypervisor {
	const { systemBinary = 'qemu-system-x86_64', imageTool = 'qemu-img', cacheDirectory } = options;
	const connect = options.connect ?? QmpClient.connect.bind(QmpClient);
	let inspection: Promise<QemuHost> | undefined;
	let known: QemuHost | undefined;
	const inspect = async (): Promise<QemuHost> => {
		await mkdir(cacheDirectory, { recursive: true });
		const { accelerator, firmwares } = options;
		known = await inspectHost({ systemBinary, imageTool, cacheDirectory, accelerator, firmwares });
		return known;
	};
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
