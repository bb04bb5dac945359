import { exactBytes } from '../../model/format-bytes.ts';
import { missingWarnings } from '../../model/missing-warnings.ts';
import type { OpenedDisk } from '../disk-facts.ts';
import { type PartitionTable, readPartitionTable } from '../partition-table.ts';
import type { GivenMachine } from './open-given.ts';

/** What is odd about disks that somebody has named, said before hours are spent on them. */
export async function doubtsOf({ disks, names }: GivenMachine, signal: AbortSignal): Promise<string[]> {
	const doubts = missingWarnings(disks);
	const tables = await Promise.all(disks.map(disk => readPartitionTable(disk, signal)));
	for (const [index, disk] of disks.entries()) doubts.push(...ofSize(names[index], disk));
	for (const [index, disk] of disks.entries()) doubts.push(...ofEnd(names[index], disk, tables[index]));
	return doubts;
}

/** The smallest disk that anything boots from; a floppy disk has more. */
const smallBytes = 2 ** 20;

function ofSize(name: string | undefined, { sizeBytes }: OpenedDisk): string[] {
	const has = `${name} has ${exactBytes(sizeBytes)}`;
	if (sizeBytes < smallBytes) return [`${has}, which is little: is it a disk?`];
	return sizeBytes % 512 === 0 ? [] : [`${has}, no whole number of sectors: is it a disk, and whole?`];
}

function ofEnd(name: string | undefined, { sizeBytes }: OpenedDisk, table: PartitionTable | undefined): string[] {
	const end = Math.max(0, ...(table?.partitions.map(({ endBytes }) => endBytes) ?? []));
	const has = `${name} has ${exactBytes(sizeBytes)}, but`;
	const diskEnd = table?.endBytes ?? 0;
	if (end > sizeBytes) return [`${has} a partition ends at ${exactBytes(end)}: is it cut short?`];
	if (diskEnd <= sizeBytes) return [];
	return [`${has} was partitioned as a disk of ${exactBytes(diskEnd)}: is it cut short?`];
}
