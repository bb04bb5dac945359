/** The disks of a machine on QEMU: raw files beside its other files. Holes and what fallocate reserves read zero. */
import { type FileHandle, open, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import { exactBytes, formatBytes } from '../../model/format-bytes.ts';
import type { AllocateWhen } from '../../model/recovery.ts';
import { isErrno, isSpaceShort, removeFileDurably, syncDirectory } from '../../system/durable-file.ts';
import { fileIdentity } from '../../system/file-identity.ts';
import { runTool } from '../../system/run-tool.ts';
import type { MachineDefinition, Target } from '../contract.ts';
import type { MachinePaths } from './paths.ts';

/** Durable when it resolves. `space_short`, before anything is made, when the whole of it does not fit. */
export async function makeTargets(
	definition: MachineDefinition,
	paths: MachinePaths,
	signal: AbortSignal | undefined,
): Promise<void> {
	if (definition.allocate === 'start') await checkSpace(definition, paths);
	for (const disk of definition.disks) {
		signal?.throwIfAborted();
		await makeTarget(paths.target(disk), disk.sizeBytes, definition.allocate, signal);
	}
}

/** What is there is only ever made longer: nothing here must be able to cut a disk. */
async function makeTarget(
	path: string,
	sizeBytes: number,
	allocate: AllocateWhen,
	signal: AbortSignal | undefined,
): Promise<void> {
	const found = (await unlessMissing(stat(path)))?.size;
	if (found !== undefined && found > sizeBytes)
		throw new RouseError(
			'identity_conflict',
			`${path} has ${exactBytes(found)}, more than the ${exactBytes(sizeBytes)} of its disk`,
		);
	try {
		const file = await open(path, found === undefined ? 'wx' : 'r+', 0o600);
		try {
			await fill(file, path, { found, sizeBytes, allocate, signal });
		} finally {
			await file.close();
		}
		await syncDirectory(dirname(path));
	} catch (cause) {
		if (!isSpaceShort(cause)) throw cause;
		throw spaceShort(`${path}: no space for a disk of ${formatBytes(sizeBytes)}`, { cause });
	}
}

interface Filling {
	found: number | undefined;
	sizeBytes: number;
	allocate: AllocateWhen;
	signal: AbortSignal | undefined;
}

async function fill(file: FileHandle, path: string, { found, sizeBytes, allocate, signal }: Filling): Promise<void> {
	if (found !== sizeBytes) await file.truncate(sizeBytes);
	if (allocate === 'start') await reserve(path, sizeBytes, signal);
	await file.sync();
}

/** Reserves the blocks without writing them; where the file system cannot do that, fallocate(1) -x writes zeros. */
async function reserve(path: string, sizeBytes: number, signal: AbortSignal | undefined): Promise<void> {
	const options = { hint: 'apt-get install util-linux', signal };
	const fallocate = (...how: string[]) => runTool('fallocate', [...how, '-l', String(sizeBytes), path], options);
	let { code, stderr } = await fallocate();
	if (/not supported/i.test(stderr)) ({ code, stderr } = await fallocate('-x'));
	if (code === 0) return;
	const said = stderr.trim() || `fallocate ended with ${code}`;
	const message = `${path}: ${formatBytes(sizeBytes)} cannot be allocated: ${said}`;
	if (!/no space|quota/i.test(said)) throw new RouseError('io_failed', message);
	throw spaceShort(message);
}

async function checkSpace({ directory, disks }: MachineDefinition, paths: MachinePaths): Promise<void> {
	let neededBytes = 0;
	for (const disk of disks) {
		const found = await unlessMissing(stat(paths.target(disk)));
		// st_blocks counts 512 bytes whatever the file system's block is: stat(2)
		neededBytes += Math.max(0, disk.sizeBytes - (found?.blocks ?? 0) * 512);
	}
	const freeBytes = await freeBytesOf(directory);
	if (freeBytes >= neededBytes) return;
	const count = disks.length === 1 ? 'its disk' : `its ${disks.length} disks`;
	const message = `${directory}: ${formatBytes(neededBytes)} needed for ${count}, ${formatBytes(freeBytes)} free`;
	throw spaceShort(message, { details: { neededBytes, freeBytes } });
}

/** What the file system of a directory gives to us; not what it keeps back for root. */
export async function freeBytesOf(directory: string): Promise<number> {
	const { bavail, bsize } = await statfs(directory);
	return bavail * bsize;
}

function spaceShort(message: string, more: ConstructorParameters<typeof RouseError>[2] = {}): RouseError {
	return new RouseError('space_short', message, {
		hint: 'make room, or let the space be taken as blocks arrive (thin)',
		...more,
	});
}

export async function openTargets({ disks }: MachineDefinition, paths: MachinePaths): Promise<Target[]> {
	return Promise.all(
		disks.map(async disk => {
			const path = paths.target(disk);
			const found = (await unlessMissing(stat(path, { bigint: true }))) ?? missing(path);
			return { identity: fileIdentity(found), path, offsetBytes: 0, readsZero: true };
		}),
	);
}

/** `machine_failed` when a target is not of the disk's size. */
export async function checkTargets({ disks }: MachineDefinition, paths: MachinePaths): Promise<void> {
	for (const disk of disks) {
		const path = paths.target(disk);
		const { size } = (await unlessMissing(stat(path))) ?? missing(path);
		if (size !== disk.sizeBytes)
			throw new RouseError('machine_failed', `${path} has ${exactBytes(size)}, not ${exactBytes(disk.sizeBytes)}`);
	}
}

function missing(path: string): never {
	throw new RouseError('identity_conflict', `${path} is gone: it was the target`);
}

export async function removeTargets({ disks }: MachineDefinition, paths: MachinePaths): Promise<void> {
	for (const disk of disks) await removeFileDurably(paths.target(disk));
}

async function unlessMissing<T>(look: Promise<T>): Promise<T | undefined> {
	try {
		return await look;
	} catch (error) {
		if (isErrno(error, 'ENOENT')) return undefined;
		throw error;
	}
}
