import { basename } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import { createFileDurably, removeFileDurably } from '../../system/durable-file.ts';
import { emptyJournal } from './block-journal.ts';
import { removeTemporary, sizeOf } from './files.ts';
import type { MachineParts } from './parts.ts';
import { records } from './record.ts';

/**
 * The protective snapshot of all disks; `probe` throws when the mover's disks cannot be read. What is there is left
 * alone, whatever it holds; one that was made and is gone is an error, never made again: the guest would fall back in time.
 */
export async function takeSnapshot(parts: MachineParts, probe: () => Promise<void>): Promise<void> {
	const { settings, definition, paths } = parts;
	const { snapshotMade, merged } = await records.of(definition, paths);
	if (merged) throw new RouseError('phase_wrong', `${definition.machineName} is on its targets already`);
	const missing = [];
	for (const disk of definition.disks) if ((await sizeOf(paths.overlay(disk))) === undefined) missing.push(disk);
	if (snapshotMade) return missing[0] && isGone(paths.overlay(missing[0]));
	await probe();
	settings.faults.expectWritable('overlay', definition);
	for (const disk of missing)
		await createFileDurably(paths.overlay(disk), emptyJournal(disk.sizeBytes), { mode: 0o600 });
	await records.change(definition, paths, { snapshotMade: true });
}

/** Throws `machine_failed` where one is missing. */
export async function expectOverlays({ definition, paths }: MachineParts): Promise<void> {
	for (const disk of definition.disks)
		if ((await sizeOf(paths.overlay(disk))) === undefined) isGone(paths.overlay(disk));
}

/** Durably; some may be gone already. */
export async function removeOverlays({ definition, paths }: MachineParts): Promise<void> {
	for (const disk of definition.disks) await removeFileDurably(paths.overlay(disk));
	await removeTemporary(
		definition.directory,
		definition.disks.map(disk => basename(paths.overlay(disk))),
	);
}

function isGone(path: string): never {
	throw new RouseError('machine_failed', `${path}: the protective snapshot is not there; it held what the guest wrote`);
}
