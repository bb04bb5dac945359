import { randomBytes } from 'node:crypto';
import { link, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import { nbdUri } from '../../nbd/protocol/uri.ts';
import { isErrno, removeFileDurably, syncDirectory, temporarySuffix } from '../../system/durable-file.ts';
import { runTool } from '../../system/run-tool.ts';
import type { MachineDefinition, MachineDisk } from '../contract.ts';
import { allDone } from './all-done.ts';
import { checkDisk } from './base.ts';
import { qemuEnvironment } from './confinement.ts';
import type { QemuHost } from './host.ts';
import { installQemu } from './install.ts';
import type { MachinePaths } from './paths.ts';
import { records } from './record.ts';
import { exists } from '../../system/if-there.ts';

/**
 * The protective snapshot of all disks. An overlay that is there is left alone, whatever it holds; one that was there
 * and is gone is an error (`machine_failed`), never made again: the guest would silently fall back in time.
 */
export async function takeSnapshot(
	definition: MachineDefinition,
	paths: MachinePaths,
	host: QemuHost,
	signal: AbortSignal | undefined,
): Promise<void> {
	const record = await records.of(definition, paths);
	await allDone(
		definition.disks.map(async disk => {
			const path = paths.overlay(disk);
			if (await exists(path)) return;
			if (record.snapshotMade)
				throw new RouseError('machine_failed', `${path} was made and is gone: it held what the guest had written`);
			await createOverlay(definition, disk, { path, host, signal });
		}),
	);
	if (!record.snapshotMade) await records.change(definition, paths, { snapshotMade: true });
}

/** The overlay appears under its name only whole, and only when the mover's disk could be opened. */
async function createOverlay(
	definition: MachineDefinition,
	disk: MachineDisk,
	{ path, host, signal }: { path: string; host: QemuHost; signal: AbortSignal | undefined },
): Promise<void> {
	const temporary = `${path}.${randomBytes(6).toString('hex')}${temporarySuffix}`;
	try {
		// Subclusters of 4 KiB (128 KiB / 32): a guest's write of an aligned 4 KiB needs nothing from the mover.
		// The mover is on record as backing, not the target: whoever opens the overlay by hand before all is restored
		// fails loudly instead of reading zeros.
		const uri = nbdUri(definition.nbdSocket, disk.exports.wait);
		const options = ['-o', 'extended_l2=on,cluster_size=128k', '-u', '-b', uri, '-F', 'raw'];
		// Side by side: the time to power-on counts.
		await allDone([
			createImage(host, ['-f', 'qcow2', ...options, temporary, String(disk.sizeBytes)], signal),
			checkDisk(definition, disk, host, signal),
		]);
		await syncFile(temporary);
		await link(temporary, path);
	} catch (error) {
		if (!isErrno(error, 'EEXIST')) throw error;
	} finally {
		await rm(temporary, { force: true });
	}
	await syncDirectory(dirname(path));
}

async function createImage(host: QemuHost, args: readonly string[], signal: AbortSignal | undefined): Promise<void> {
	const { code, stderr } = await runTool(host.imageTool, ['create', '-q', ...args], {
		silenceMs: 30_000,
		hint: installQemu,
		env: qemuEnvironment(),
		signal,
	});
	if (code !== 0) throw new RouseError(spaceOrIo(stderr), `overlay: ${stderr.trim()}`);
}

/** Durably; a file that is not there is fine. */
export async function removeOverlays(definition: MachineDefinition, paths: MachinePaths): Promise<void> {
	for (const disk of definition.disks) await removeFileDurably(paths.overlay(disk));
}

/** What was written to the file so far, by whomever, is on stable storage. */
export async function syncFile(path: string): Promise<void> {
	const file = await open(path, 'r');
	try {
		await file.datasync();
	} finally {
		await file.close();
	}
}

/** The two ways in which writing fails, told apart by what the C library says. */
export function spaceOrIo(message: string): 'space_short' | 'io_failed' {
	return message.includes('No space left on device') ? 'space_short' : 'io_failed';
}
