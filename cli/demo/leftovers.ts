import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from '../../system/durable-file.ts';
import { type Installation, places } from '../../system/installation.ts';

export interface Leftovers {
	/** Processes that name the installation's home or its sockets in their command line, or have a file of it open. */
	processes: string[];
	sockets: string[];
	files: string[];
}

/** What a removed machine must not leave: asked of the operating system, not of Rouse. */
export async function findLeftovers(
	{ home, runDirectory }: Pick<Installation, 'home' | 'runDirectory'>,
	recovery: string,
	recoveryId: string,
): Promise<Leftovers> {
	const directory = join(places.recoveries(home), recovery);
	const sockets = join(runDirectory, recoveryId.slice(0, 8));
	return {
		processes: await processesWith([`${directory}/`, `${sockets}/`]),
		sockets: await filesBelow(sockets),
		files: await filesBelow(directory),
	};
}

async function filesBelow(directory: string): Promise<string[]> {
	try {
		const inside = await readdir(directory, { recursive: true });
		return [directory, ...inside.map(name => join(directory, name))];
	} catch (error) {
		if (isErrno(error, 'ENOENT')) return [];
		throw error;
	}
}

async function processesWith(paths: readonly string[]): Promise<string[]> {
	const found: string[] = [];
	for (const pid of await readdir('/proc')) {
		if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
		const traces = await tracesOf(pid);
		if (traces.some(trace => paths.some(path => trace.includes(path)))) found.push(`${pid} ${traces[0] ?? ''}`);
	}
	return found;
}

/** Command line and open files of a process; nothing when it has gone, or is somebody else's. */
async function tracesOf(pid: string): Promise<string[]> {
	try {
		const commandLine = (await readFile(`/proc/${pid}/cmdline`, 'latin1')).replaceAll('\0', ' ').trim();
		const descriptors = await readdir(`/proc/${pid}/fd`);
		return [commandLine, ...(await Promise.all(descriptors.map(fd => linkOf(`/proc/${pid}/fd/${fd}`))))];
	} catch (error) {
		if (isErrno(error, 'ENOENT') || isErrno(error, 'ESRCH') || isErrno(error, 'EACCES')) return [];
		throw error;
	}
}

async function linkOf(path: string): Promise<string> {
	try {
		return await readlink(path);
	} catch (error) {
		if (isErrno(error, 'ENOENT') || isErrno(error, 'EACCES')) return '';
		throw error;
	}
}
