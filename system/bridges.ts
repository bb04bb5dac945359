/** Bridges of this host, read from sysfs: nothing is asked that could wait, and nothing is changed. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from './durable-file.ts';

const interfaces = '/sys/class/net';

export async function isBridge(name: string): Promise<boolean> {
	try {
		return (await stat(join(interfaces, name, 'bridge'))).isDirectory();
	} catch (error) {
		if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return false;
		throw error;
	}
}
