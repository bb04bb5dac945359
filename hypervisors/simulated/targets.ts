import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import { formatBytes } from '../../model/format-bytes.ts';
import { publishDurably, removeFileDurably, temporaryPath } from '../../system/durable-file.ts';
import type { MachineDefinition, MachineDisk, Target } from '../contract.ts';
import { removeTemporary, sizeOf } from './files.ts';
import type { HostSettings, MachineParts, TargetFormat } from './parts.ts';

/** Durable when it resolves. What is there is only ever made larger. */
export async function makeTargets({ settings, definition, paths }: MachineParts): Promise<void> {
	const { targets: format } = settings.manner;
	const missing: MachineDisk[] = [];
	for (const disk of definition.disks) {
		const wanted = format.offsetBytes + disk.sizeBytes;
		const found = await sizeOf(paths.target(disk));
		if (found === undefined) missing.push(disk);
		else if (found > wanted)
			throw new RouseError('identity_conflict', `${paths.target(disk)} has ${found} bytes, ${disk.name} ${wanted}`);
		else if (found < wanted) await enlarge(paths.target(disk), wanted);
	}
	if (missing.length === 0) return;
	settings.faults.expectWritable('target', definition);
	await expectRoom(settings, definition, missing);
	for (const disk of missing) await make(paths.target(disk), format, definition, disk);
}

/** `boot` of the host. */
export async function openTargets(parts: MachineParts, boot: number): Promise<Target[]> {
	const { targets: format } = parts.settings.manner;
	const { offsetBytes } = format;
	const found: Target[] = [];
	for (const disk of parts.definition.disks) {
		const identity = await format.identityOf(parts, disk);
		found.push({ identity, path: await format.present(parts, disk, boot), offsetBytes, readsZero: true });
	}
	return found;
}

/** Throws `identity_conflict`, with nothing removed, when one is not this machine's. */
export async function removeTargets(parts: MachineParts): Promise<void> {
	const { definition, paths, settings } = parts;
	const { targets: format } = settings.manner;
	for (const disk of definition.disks)
		if ((await sizeOf(paths.target(disk))) !== undefined) await format.identityOf(parts, disk);
	await format.release(parts);
	for (const disk of definition.disks) await removeFileDurably(paths.target(disk));
	await removeTemporary(
		definition.directory,
		definition.disks.map(disk => basename(paths.target(disk))),
	);
}

async function expectRoom(
	settings: HostSettings,
	{ directory, allocate }: MachineDefinition,
	missing: readonly MachineDisk[],
): Promise<void> {
	if (allocate === 'thin') return;
	const needed = missing.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
	const free = await settings.freeBytes();
	if (free >= needed) return;
	throw new RouseError(
		'space_short',
		`${directory}: ${formatBytes(needed)} needed for the targets, ${formatBytes(free)} free`,
		{
			hint: 'make room, or allocate as blocks arrive',
			details: { neededBytes: needed, freeBytes: free },
		},
	);
}

async function enlarge(path: string, sizeBytes: number): Promise<void> {
	const file = await open(path, 'r+');
	try {
		await file.truncate(sizeBytes);
		await file.sync();
	} finally {
		await file.close();
	}
}

async function make(
	path: string,
	format: TargetFormat,
	definition: MachineDefinition,
	disk: MachineDisk,
): Promise<void> {
	const temporary = temporaryPath(path);
	const file = await open(temporary, 'wx', 0o600);
	try {
		await file.writeFile(format.header(definition, disk));
		await file.truncate(format.offsetBytes + disk.sizeBytes);
		await file.sync();
	} finally {
		await file.close();
	}
	await publishDurably(temporary, path);
}
