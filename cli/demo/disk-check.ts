import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import { RouseError } from '../../model/errors.ts';

const execute = promisify(execFile);

/** E2fsprogs; Debian has it where only root's PATH leads. */
function run(command: string, args: readonly string[]): Promise<unknown> {
	const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` };
	return execute(command, args, { env, maxBuffer: 64 * 1024 * 1024 });
}

/** Where tools/guest/build puts the root file system. */
const rootOffsetBytes = 33 * 1024 * 1024;

export interface DiskCheck {
	/** Files that the guest wrote, each with the sum of what was meant to be written. */
	guestFiles: number;
	/** Files of the payload, as they were before the backup. */
	payloadFiles: number;
	payloadBytes: number;
}

export interface CheckAgainst {
	/** Directory of the payload's files, as they were in the image before its backup. */
	payload: string;
	/** Name and sum of files, as the guest reported them over its console. */
	knownFiles: ReadonlyMap<string, string>;
	/** So many files it had counted. */
	atLeast: number;
	/** Made, and removed again. */
	scratch: string;
}

/**
 * Looks into a machine's disk without the machine: the file system is sound, every file that the guest wrote has the sum
 * in the guest's manifest and the sums reported over its console, every file of the payload is what was backed up.
 * Throws `machine_failed` with the first thing that is not so.
 */
export async function checkDisk(
	disk: string,
	{ payload, knownFiles, atLeast, scratch }: CheckAgainst,
): Promise<DiskCheck> {
	const fileSystem = rootOf(disk);
	// -n: answers no to everything; a clean file system needs no answer and ends with 0.
	await run('e2fsck', ['-fn', fileSystem]).catch((cause: unknown) => {
		throw new RouseError('machine_failed', `the guest's file system on ${disk} is not sound`, { cause });
	});
	try {
		await dump(disk, ['/data', '/payload'], scratch);
		const guestFiles = await checkGuestFiles(join(scratch, 'data'), knownFiles, atLeast);
		return { guestFiles, ...(await comparePayload(payload, join(scratch, 'payload'))) };
	} finally {
		await rm(scratch, { recursive: true, force: true });
	}
}

/** Copies directories out of a disk's root file system, without mounting it, into a directory that it makes. */
export async function dump(disk: string, directories: readonly string[], to: string): Promise<void> {
	await mkdir(to, { recursive: true });
	await run('debugfs', ['-R', `rdump ${directories.join(' ')} ${to}`, rootOf(disk)]);
}

/** E2fsprogs' way to name a file system that does not begin where its file does. */
function rootOf(disk: string): string {
	return `${disk}?offset=${rootOffsetBytes}`;
}

async function checkGuestFiles(
	data: string,
	knownFiles: ReadonlyMap<string, string>,
	atLeast: number,
): Promise<number> {
	const sums = new Map<string, string>();
	for (const line of (await readFile(join(data, 'manifest'), 'utf8')).trimEnd().split('\n')) {
		const [sum, name] = line.split(/\s+/);
		if (sum && name) sums.set(name, sum);
	}
	if (sums.size < atLeast)
		throw new RouseError('machine_failed', `${sums.size} files in the guest's manifest, it had reported ${atLeast}`);
	for (const [name, sum] of knownFiles)
		if (sums.get(name) !== sum)
			throw new RouseError('machine_failed', `${name} is not in the manifest with the sum that the guest reported`);
	for (const [name, sum] of sums)
		if ((await digestOf(join(data, name))) !== sum)
			throw new RouseError('machine_failed', `${name} does not hold what the guest wrote`);
	return sums.size;
}

async function comparePayload(before: string, now: string): Promise<{ payloadFiles: number; payloadBytes: number }> {
	let payloadFiles = 0;
	let payloadBytes = 0;
	for (const entry of await readdir(before, { recursive: true, withFileTypes: true })) {
		if (!entry.isFile()) continue;
		const path = join(entry.parentPath, entry.name);
		const [was, is] = await Promise.all([readFile(path), readFile(join(now, relative(before, path)))]);
		if (!was.equals(is))
			throw new RouseError('machine_failed', `${relative(before, path)} of the payload is not what was backed up`);
		payloadFiles += 1;
		payloadBytes += was.length;
	}
	return { payloadFiles, payloadBytes };
}

async function digestOf(path: string): Promise<string> {
	const hash = createHash('sha256');
	for await (const part of createReadStream(path) as AsyncIterable<Buffer>) hash.update(part);
	return hash.digest('hex');
}
