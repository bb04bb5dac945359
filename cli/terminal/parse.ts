import { InvalidArgumentError } from '@commander-js/extra-typings';
import * as z from 'zod';
import { brokerLimits } from '../../model/broker.ts';
import { machineConfigSchema } from '../../model/machine.ts';
import { refusalText } from '../../model/issue-text.ts';
import { writtenDurationSchema } from '../../model/written-values.ts';
import { nameSchema, type PointReference, parsePointReference } from '../../model/names.ts';

const unitBytes: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** `4194304`, `4M`, `4MiB`: bytes, with binary units. */
export function parseBytes(text: string): number {
	const bytes = bytesOf(text);
	if (bytes === undefined) throw new InvalidArgumentError(`"${text}" is no size: write 1048576, 512K or 20MiB.`);
	return bytes;
}

function bytesOf(text: string): number | undefined {
	const [, digits, unit = ''] = /^(\d+)(?:([kmgt])(?:i?b)?)?$/i.exec(text) ?? [];
	const bytes = Number(digits) * (unitBytes[unit.toLowerCase()] ?? Number.NaN);
	return Number.isSafeInteger(bytes) ? bytes : undefined;
}

export function parsePort(text: string): number {
	const port = /^\d+$/.test(text) ? Number(text) : Number.NaN;
	if (port >= 1 && port <= 65535) return port;
	throw new InvalidArgumentError(`"${text}" is no port: write a number from 1 to 65535.`);
}

/** `10.0.0.1:7400`, `[::1]:7400`; 0 is a port that is free. */
export function parseAddress(text: string): { host: string; port: number } {
	const [, six, other, digits] = /^(?:\[([0-9a-f:.]+)\]|([^\s:/]+)):(\d{1,5})$/i.exec(text) ?? [];
	const [host, port] = [six ?? other, Number(digits)];
	if (host !== undefined && port <= 65535) return { host, port };
	throw new InvalidArgumentError(`"${text}" is no address with a port: write 10.0.0.1:7400 or [::1]:7400.`);
}

/** The id of a recovery. */
export function parseId(text: string): string {
	const id = z.uuid().safeParse(text);
	if (id.success) return id.data;
	throw new InvalidArgumentError(`"${text}" is no id: \`rouse recover show\` tells that of a recovery.`);
}

/** `2048`, `2048MiB`, `2G`: whole MiB, which a number alone counts as well. */
export function parseMemory(text: string): number {
	const mebibytes = /^\d+$/.test(text) ? Number(text) : (bytesOf(text) ?? Number.NaN) / 2 ** 20;
	const memory = machineConfigSchema.shape.memoryMiB.safeParse(mebibytes);
	if (memory.success) return memory.data;
	throw new InvalidArgumentError(`"${text}" is no size of a machine's memory: write 2048 (MiB) or 2GiB.`);
}

export function parseCpus(text: string): number {
	const cpus = machineConfigSchema.shape.cpus.safeParse(/^\d+$/.test(text) ? Number(text) : text);
	if (cpus.success) return cpus.data;
	throw new InvalidArgumentError(`"${text}": write a number from 1 to 256.`);
}

/** A name of a machine, a recovery, a repository or a host. */
export function parseName(text: string): string {
	const result = nameSchema.safeParse(text);
	if (result.success) return result.data;
	throw new InvalidArgumentError(`"${text}": ${refusalText(result.error)}.`);
}

/** `kvm1,kvm2` */
export function parseNames(text: string): [string, ...string[]] {
	const [first = '', ...others] = text.split(',').map(parseName);
	if (others.length < brokerLimits.poolHosts) return [first, ...new Set(others.filter(name => name !== first))];
	throw new InvalidArgumentError(`${others.length + 1} hosts: name ${brokerLimits.poolHosts} at most.`);
}

export function parsePriority(text: string): number {
	if (/^[1-5]$/.test(text)) return Number(text);
	throw new InvalidArgumentError(`"${text}" is no priority: write a number from 1, which goes first, to 5.`);
}

/** `90s`, `15m`, `4h`, `2d`: milliseconds. */
export function parseDuration(text: string): number {
	const duration = writtenDurationSchema.safeParse(text);
	if (duration.success) return duration.data;
	throw new InvalidArgumentError(`"${text}" is no duration: write 90s, 15m, 4h or 2d.`);
}

/** Five fields; whether their values are right Temporal says. */
export function parseCron(text: string): string {
	if (/^[\d*/,\-A-Za-z]+( [\d*/,\-A-Za-z]+){4}$/.test(text)) return text;
	throw new InvalidArgumentError(`"${text}": write minute, hour, day, month and weekday, as '0 3 * * 0'.`);
}

/** `MACHINE@POINT` or `MACHINE`, which is its latest point. */
export function parsePoint(text: string): PointReference {
	const reference = parsePointReference(text);
	if (reference) return reference;
	throw new InvalidArgumentError(`"${text}" is no restore point: write web01@latest or web01@2026-11-20T03:00Z.`);
}
