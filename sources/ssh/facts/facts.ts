import { RouseError } from '../../../model/errors.ts';
import { type Block, parseBlocks } from './blocks.ts';
import {
	parseGroups,
	parsePhysical,
	parseVolumes,
	type ReportedGroup,
	type ReportedPhysical,
	type ReportedVolume,
} from './lvm-reports.ts';
import { partMark } from './script.ts';

/** What a machine tells of itself; null is "it does not tell". */
export interface FarFacts {
	hostname: string | null;
	kernel: string | null;
	pageBytes: number;
	machineId: string | null;
	productUuid: string | null;
	vendor: string | null;
	product: string | null;
	cpus: number | null;
	memoryMiB: number | null;
	firmware: 'bios' | 'efi' | null;
	secureBoot: boolean | null;
	clock: 'utc' | 'localtime' | null;
	hasPython: boolean;
	nics: string[];
	blocks: Block[];
	/** Of partitions, in bytes, by the names that the kernel has for them. */
	places: Map<string, { startBytes: number; lengthBytes: number }>;
	/** Bytes written since the machine was started, by the kernel's names of device-mapper devices. */
	writtenBytes: Map<string, number>;
	groups: ReportedGroup[];
	volumes: ReportedVolume[];
	physical: ReportedPhysical[];
}

/** The kernel counts in these, whatever the device does. */
const sectorBytes = 512;
const mib = 2 ** 20;

/** Of what {@link factsScript} has said. Throws `source_invalid` when it cannot be a machine that is read here. */
export function parseFarFacts(text: string): FarFacts {
	const parts = partsOf(text);
	const line = (name: string) => printable(parts.get(name));
	if (line('system') !== 'Linux')
		throw new RouseError('source_invalid', `it runs ${line('system') ?? 'something that tells no name'}, and no Linux`);
	mustTellVolumes(parts);
	const firmware = line('firmware');
	try {
		return {
			hostname: line('hostname'),
			kernel: line('kernel'),
			pageBytes: count(line('page')) ?? 4096,
			machineId: line('machine-id'),
			productUuid: line('product-uuid'),
			vendor: line('vendor'),
			product: line('product'),
			cpus: count(line('cpus')),
			memoryMiB: memoryOf(parts),
			firmware: firmware === 'efi' || firmware === 'bios' ? firmware : null,
			secureBoot: firmware === 'efi' ? truth(line('secure-boot')) : null,
			clock: clockOf(parts.get('adjtime')),
			hasPython: line('python') !== null,
			nics: linesOf(parts.get('nics')),
			blocks: parseBlocks(parts.get('blocks') ?? ''),
			places: placesOf(parts.get('starts')),
			writtenBytes: writtenOf(parts.get('written')),
			groups: parseGroups(parts.get('groups') ?? ''),
			volumes: parseVolumes(parts.get('volumes') ?? ''),
			physical: parsePhysical(parts.get('physical') ?? ''),
		};
	} catch (cause) {
		throw new RouseError('source_invalid', 'what its lsblk and LVM tell is not understood', {
			cause,
			hint: 'it needs lsblk of util-linux 2.27 or later, and LVM 2.02.158 or later where it has LVM',
		});
	}
}

/** Without LVM there are no such parts; with it, a report that is not even empty is that of a tool which has failed, and not of no volumes. */
function mustTellVolumes(parts: ReadonlyMap<string, string>): void {
	const silent = ['groups', 'volumes', 'physical'].find(name => parts.get(name)?.trim() === '');
	if (silent !== undefined)
		throw new RouseError('tool_failed', `its LVM does not tell its ${silent}`, {
			hint: 'vgs, lvs and pvs, there, say why',
		});
}

function partsOf(text: string): Map<string, string> {
	return new Map(
		text
			.split(partMark)
			.slice(1)
			.map(part => {
				const end = part.indexOf('\n');
				return [part.slice(0, end), part.slice(end + 1)];
			}),
	);
}

function printable(text: string | undefined): string | null {
	const line = (text ?? '').trim().split('\n')[0] ?? '';
	return /^\P{C}{1,200}$/u.test(line) ? line : null;
}

function linesOf(text: string | undefined): string[] {
	return (text ?? '').split('\n').filter(line => line !== '');
}

function count(text: string | null): number | null {
	return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

function truth(text: string | null): boolean | null {
	return text === '1' ? true : text === '0' ? false : null;
}

/** What is built in, where the kernel counts it by blocks; else what it has left to give, which is a bit less. */
function memoryOf(parts: ReadonlyMap<string, string>): number | null {
	const block = printable(parts.get('memory-block'));
	const blocks = count(printable(parts.get('memory-blocks')));
	if (block !== null && /^[0-9a-f]{1,12}$/i.test(block) && blocks !== null && blocks > 0)
		return Math.floor((Number.parseInt(block, 16) * blocks) / mib);
	const kib = /^MemTotal:\s+(\d{1,15}) kB/m.exec(parts.get('meminfo') ?? '')?.[1];
	return kib === undefined ? null : Math.ceil(Number(kib) / 1024 / 64) * 64;
}

/** hwclock(8): the third line of adjtime. */
function clockOf(adjtime: string | undefined): 'utc' | 'localtime' | null {
	const third = (adjtime ?? '').split('\n')[2]?.trim();
	return third === 'LOCAL' ? 'localtime' : third === 'UTC' ? 'utc' : null;
}

function placesOf(text: string | undefined): FarFacts['places'] {
	const found: FarFacts['places'] = new Map();
	for (const line of linesOf(text)) {
		const [, name, start, size] = /^(\S+) (\d{1,13}) (\d{1,13})$/.exec(line) ?? [];
		if (name !== undefined)
			found.set(name, { startBytes: Number(start) * sectorBytes, lengthBytes: Number(size) * sectorBytes });
	}
	return found;
}

function writtenOf(text: string | undefined): Map<string, number> {
	return new Map(
		linesOf(text).flatMap(line => {
			const [, name, sectors] = /^(\S+) (\d{1,13})$/.exec(line) ?? [];
			return name === undefined ? [] : [[name, Number(sectors) * sectorBytes] as const];
		}),
	);
}
