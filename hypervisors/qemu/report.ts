import { mkdir, readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { asRouseError } from '../../model/errors.ts';
import type { HostReport, HostResources } from '../contract.ts';
import { networksOfHost } from './host-networks.ts';
import type { QemuHost } from './host.ts';
import { freeBytesOf } from './targets.ts';

/** What this host has, whether QEMU is on it or not. */
export async function reportOf(host: () => Promise<QemuHost>, datastore: string): Promise<HostReport> {
	await mkdir(datastore, { recursive: true });
	const [qemu, { offered, missing, instead }, freeBytes, memory] = await Promise.all([
		host().then(describe, describeMissing),
		networksOfHost(),
		freeBytesOf(datastore),
		readMemory(),
	]);
	return {
		name: 'qemu',
		networks: offered,
		networksMissing: missing,
		networksInstead: instead,
		freeBytes,
		memory,
		...qemu,
	};
}

type OfQemu = Pick<HostReport, 'version' | 'accelerator' | 'firmwares' | 'warnings' | 'unusable'>;

async function describe(host: QemuHost): Promise<OfQemu> {
	const { accelerator, warnings } = await host.accelerations();
	return {
		version: host.version,
		accelerator,
		firmwares: host.firmwares.length > 0 ? ['bios', 'efi'] : ['bios'],
		warnings: [...(await host.warnings()), ...warnings],
		unusable: undefined,
	};
}

function describeMissing(thrown: unknown): OfQemu {
	const { code, message, hint = 'install QEMU' } = asRouseError(thrown);
	if (code !== 'tool_missing') throw thrown;
	const unusable = { code, message, hint } as const;
	return { version: undefined, accelerator: 'unknown', firmwares: [], warnings: [], unusable };
}

export async function resourcesOfHost(): Promise<HostResources> {
	return { memory: await readMemory(), cpus: availableParallelism() };
}

/** proc_meminfo(5), in KiB. Of what caches hold the kernel counts as available what it would give back. */
export async function readMemory(): Promise<HostReport['memory']> {
	const text = await readFile('/proc/meminfo', 'utf8');
	const mebibytes = (name: string) => {
		const kibibytes = new RegExp(`^${name}: *(\\d+) kB$`, 'm').exec(text)?.[1];
		return Math.floor(Number(kibibytes ?? 0) / 1024);
	};
	return { totalMiB: mebibytes('MemTotal'), freeMiB: mebibytes('MemAvailable') };
}
