import { spawn } from 'node:child_process';
import { open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import type { RecoveryPlan } from '../../model/recovery.ts';
import { isErrno, syncDirectory } from '../../system/durable-file.ts';

/**
 * A target of exactly this size that reads zero; durable when it resolves. True when it was not there before. What is
 * there is only ever made longer: nothing has written to it yet, and nothing here must be able to cut a disk.
 */
export async function makeTarget(
	path: string,
	sizeBytes: number,
	how: RecoveryPlan['allocate'],
	signal: AbortSignal,
): Promise<boolean> {
	const found = await sizeOf(path);
	if (found !== undefined && found > sizeBytes)
		throw new RouseError('identity_conflict', `${path} has ${found} bytes, more than the ${sizeBytes} of its disk`);
	const file = await open(path, found === undefined ? 'wx' : 'r+', 0o600);
	try {
		if (found !== sizeBytes) await file.truncate(sizeBytes);
		if (how === 'start') await fallocate(path, sizeBytes, signal);
		await file.sync();
	} finally {
		await file.close();
	}
	await syncDirectory(dirname(path));
	return found === undefined;
}

/** Bytes that the file system has given to it; 0 when it is not there. */
export async function allocatedBytes(path: string): Promise<number> {
	try {
		return (await stat(path)).blocks * 512; // st_blocks counts 512 bytes whatever the file system's block is: stat(2)
	} catch (error) {
		if (isErrno(error, 'ENOENT')) return 0;
		throw error;
	}
}

async function sizeOf(path: string): Promise<number | undefined> {
	try {
		return (await stat(path)).size;
	} catch (error) {
		if (isErrno(error, 'ENOENT')) return undefined;
		throw error;
	}
}

/** Reserves the blocks without writing them; where the file system cannot do that, fallocate(1) -x writes zeros. */
async function fallocate(path: string, sizeBytes: number, signal: AbortSignal): Promise<void> {
	let result = await runFallocate(['-l', String(sizeBytes), path], signal);
	if (/not supported/i.test(result)) result = await runFallocate(['-x', '-l', String(sizeBytes), path], signal);
	if (result === '') return;
	const message = `${path}: ${sizeBytes} bytes cannot be allocated: ${result}`;
	if (!/no space/i.test(result)) throw new RouseError('io_failed', message);
	throw new RouseError('space_short', message, {
		hint: 'make room, or allocate as blocks arrive: --allocate thin',
	});
}

/** What it said, empty when it succeeded. */
function runFallocate(args: readonly string[], signal: AbortSignal): Promise<string> {
	return new Promise((resolve, reject) => {
		const child = spawn('fallocate', args, {
			stdio: ['ignore', 'ignore', 'pipe'],
			signal,
			env: { LC_ALL: 'C', PATH: process.env['PATH'] },
		});
		let said = '';
		child.stderr.setEncoding('utf8').on('data', (text: string) => {
			said += text;
		});
		child.once('error', reject);
		child.once('close', code => resolve(code === 0 ? '' : said.trim() || `fallocate ended with ${code}`));
	});
}
