/** What a machine takes of its host beside disks: refused where it cannot be, warned of where it will hurt. */
import * as z from 'zod';
import { RouseError } from './errors.ts';
import { formatBytes } from './format-bytes.ts';
import type { Choice } from './hardware.ts';
import { type MachineConfig, machineConfigSchema } from './machine.ts';

type Size = Pick<MachineConfig, 'memoryMiB' | 'cpus'>;

/** A part of what a machine is, for one who asks for another size than it had. */
export const sizeSchema = machineConfigSchema.pick({ memoryMiB: true, cpus: true }).partial();
export type PartialSize = z.infer<typeof sizeSchema>;

/** `precheck_failed` for a machine that is larger than its host; it parks what has begun, and only a new start helps. */
export function refuseTooLarge(
	{ memoryMiB }: Pick<Size, 'memoryMiB'>,
	host: string,
	{ totalMiB }: { totalMiB: number },
) {
	if (memoryMiB <= totalMiB) return;
	throw new RouseError(
		'precheck_failed',
		`the machine takes ${memoryText(memoryMiB)} of memory, and ${host} has ${memoryText(totalMiB)}: it must be started with less`,
		{ details: { neededMiB: memoryMiB, totalMiB, next: 'discard' } },
	);
}

export function sizeWarnings({ memoryMiB, cpus }: Size, host: { freeMiB: number; cpus: number }): string[] {
	const warnings: string[] = [];
	if (memoryMiB > host.freeMiB)
		warnings.push(
			`the host has ${memoryText(host.freeMiB)} of memory free; the machine takes ${memoryText(memoryMiB)}`,
		);
	if (cpus > host.cpus) warnings.push(`the host has ${host.cpus} CPUs, the machine ${cpus}: they wait for each other`);
	return warnings;
}

function memoryText(mebibytes: number): string {
	return formatBytes(mebibytes * 2 ** 20);
}

/** `had`: what the machine was, where something else was asked for. */
export function sizeChoices({ memoryMiB, cpus }: Size, had: PartialSize = {}): Choice[] {
	const asked = (before: string) => `asked for; it had ${before}`;
	return [
		...(had.memoryMiB === undefined
			? []
			: [{ what: 'memory', chosen: `${memoryMiB} MiB`, why: asked(`${had.memoryMiB} MiB`) }]),
		...(had.cpus === undefined ? [] : [{ what: 'CPUs', chosen: `${cpus}`, why: asked(`${had.cpus}`) }]),
	];
}
