import { randomBytes } from 'node:crypto';
import { link, open, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as z from 'zod';
import { asRouseError, RouseError } from '../../model/errors.ts';
import { isErrno, removeFileDurably, syncDirectory, temporarySuffix } from '../../system/durable-file.ts';
import { runTool } from '../../system/run-tool.ts';
import type { MachineDefinition, MachineDisk } from '../contract.ts';
import { exportNames } from './block-nodes.ts';
import type { QemuHost } from './host.ts';
import { installQemu } from './install.ts';
import type { MachinePaths } from './paths.ts';
import { readRecord, recordSnapshot } from './record.ts';

/**
 * The protective snapshot of all disks. An overlay that is there is left alone, whatever it holds; one that was there
 * and is gone is an error (`machine_failed`), never made again: the guest would silently fall back in time.
 */
export async function takeSnapshot(definition: MachineDefinition, paths: MachinePaths, host: QemuHost): Promise<void> {
	const record = await readRecord(definition, paths);
	if (record === undefined)
		throw new RouseError('phase_wrong', `${definition.directory}: no machine was created here to take a snapshot of`);
	await allDone(
		definition.disks.map(async disk => {
			const path = paths.overlay(disk);
			if (await exists(path)) return;
			if (record.snapshotMade)
				throw new RouseError('machine_failed', `${path} was made and is gone: it held what the guest had written`);
			await createOverlay(definition, disk, path, host);
		}),
	);
	if (!record.snapshotMade) await recordSnapshot(definition, paths);
}

/** The overlay appears under its name only whole, and only when the mover's disk could be opened. */
async function createOverlay(
	definition: MachineDefinition,
	disk: MachineDisk,
	path: string,
	host: QemuHost,
): Promise<void> {
	const temporary = `${path}.${randomBytes(6).toString('hex')}${temporarySuffix}`;
	try {
		// Subclusters of 4 KiB (128 KiB / 32): a guest's write of an aligned 4 KiB needs nothing from the mover.
		// The mover is on record as backing, not the target: whoever opens the overlay by hand before all is restored
		// fails loudly instead of reading zeros.
		const uri = exportUri(definition, exportNames(disk).wait);
		const options = ['-o', 'extended_l2=on,cluster_size=128k', '-u', '-b', uri, '-F', 'raw'];
		// Side by side: the time to power-on counts.
		await allDone([
			createImage(host, ['-f', 'qcow2', ...options, temporary, String(disk.sizeBytes)]),
			checkExports(definition, disk, host),
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

const imageTool = { silenceMs: 30_000, hint: installQemu };

async function createImage(host: QemuHost, args: readonly string[]): Promise<void> {
	const { code, stderr } = await runTool(host.imageTool, ['create', '-q', ...args], imageTool);
	if (code !== 0) throw new RouseError(spaceOrIo(stderr), `overlay: ${stderr.trim()}`);
}

/** Like `Promise.all`, but when it throws nothing is still being done: no file appears behind the caller's back. */
async function allDone(work: readonly Promise<void>[]): Promise<void> {
	for (const result of await Promise.allSettled(work)) if (result.status === 'rejected') throw result.reason;
}

const infoSchema = z.object({ 'virtual-size': z.int() });

async function checkExports(definition: MachineDefinition, disk: MachineDisk, host: QemuHost): Promise<void> {
	const { now, wait } = exportNames(disk);
	await allDone((host.quorum ? [now, wait] : [wait]).map(name => checkExport(definition, disk, name, host)));
}

/** `mover_unreachable` when the export cannot be opened or is not this disk by its size. */
async function checkExport(
	definition: MachineDefinition,
	disk: MachineDisk,
	exportName: string,
	host: QemuHost,
): Promise<void> {
	const uri = exportUri(definition, exportName);
	let sizeBytes: number;
	try {
		const { code, stdout, stderr } = await runTool(
			host.imageTool,
			['info', '--output=json', '-f', 'raw', uri],
			imageTool,
		);
		if (code !== 0) throw new Error(stderr.trim());
		sizeBytes = infoSchema.parse(JSON.parse(stdout))['virtual-size'];
	} catch (cause) {
		throw new RouseError('mover_unreachable', `${uri} cannot be read: ${asRouseError(cause).message}`, { cause });
	}
	// The export has the exact size of the source, the machine's disk that size in whole sectors.
	if (Math.ceil(sizeBytes / 512) * 512 !== disk.sizeBytes)
		throw new RouseError('mover_unreachable', `${uri} has ${sizeBytes} bytes, ${disk.name} has ${disk.sizeBytes}`);
}

/** https://github.com/NetworkBlockDevice/nbd/blob/master/doc/uri.md */
function exportUri(definition: MachineDefinition, exportName: string): string {
	return `nbd+unix:///${exportName}?socket=${encodeURI(definition.nbdSocket).replaceAll('&', '%26')}`;
}

/** Durably; a file that is not there is fine. */
export async function removeOverlays(definition: MachineDefinition, paths: MachinePaths): Promise<void> {
	for (const disk of definition.disks) await removeFileDurably(paths.overlay(disk));
}

export async function exists(path: string): Promise<boolean> {
	try {
		await stat(path);
		return true;
	} catch (error) {
		if (isErrno(error, 'ENOENT')) return false;
		throw error;
	}
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
