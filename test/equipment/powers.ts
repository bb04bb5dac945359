import { readFile } from 'node:fs/promises';

/** Capabilities that a process can ever have again, in hexadecimal, and `all` for one that may gain new ones. */
export async function powersOf(pid: number): Promise<string> {
	const status = await readFile(`/proc/${pid}/status`, 'latin1');
	const [, bounding = '', noNewPrivs = ''] = /CapBnd:\s*(\w+)[\s\S]*NoNewPrivs:\s*(\d)/.exec(status) ?? [];
	return noNewPrivs === '1' ? bounding.replace(/^0+/, '') : 'all';
}

/** CAP_DAC_OVERRIDE alone, and with CAP_CHOWN. */
export const overFiles = '2';
export const overFilesAndOwners = '3';
