import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno, replaceFileDurably } from '../../system/durable-file.ts';

/** Number of the host's boot, from 1. */
export async function hostBoot(directory: string): Promise<number> {
	try {
		return Number(await readFile(bootFile(directory), 'utf8'));
	} catch (error) {
		if (isErrno(error, 'ENOENT')) return 1;
		throw error;
	}
}

export async function bootHost(directory: string): Promise<void> {
	await replaceFileDurably(bootFile(directory), `${(await hostBoot(directory)) + 1}\n`);
}

function bootFile(directory: string): string {
	return join(directory, 'simulated-boot');
}
