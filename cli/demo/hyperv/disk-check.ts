import { execFile } from 'node:child_process';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { RouseError } from '../../../model/errors.ts';

const execute = promisify(execFile);

/** The VHDXs in which the machine's disk is now, by their names. */
export async function findDisks(windows: string): Promise<string[]> {
	const inside = await readdir(windows, { recursive: true });
	return inside.filter(name => name.endsWith('.vhdx')).map(name => join(windows, name));
}

/**
 * By programs that are not ours: 7-Zip tests the file, QEMU compares what it holds. Throws `machine_failed` when it is not what
 * the disk must hold. `scratch`: a file that is made.
 */
export async function checkDisk(disk: string, expected: Buffer, scratch: string): Promise<void> {
	await writeFile(scratch, expected);
	await judge('7zz', ['t', disk]);
	await judge('qemu-img', ['compare', '-f', 'vhdx', '-F', 'raw', disk, scratch]);
}

async function judge(program: string, args: readonly string[]): Promise<void> {
	try {
		await execute(program, args);
	} catch (cause) {
		const said = cause instanceof Error ? cause.message : '';
		throw new RouseError('machine_failed', `${program} does not find the disk as it must be: ${said}`, { cause });
	}
}
