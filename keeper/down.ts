import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { RouseError } from '../model/errors.ts';
import { isErrno } from '../system/durable-file.ts';
import { places } from '../system/installation.ts';
import { lockHolder } from '../system/process-lock.ts';
import { endHolder } from '../system/spawn-locked.ts';
import { type ServiceName, serviceFiles, serviceHolder, stopOrder } from './services.ts';

export interface DownResult {
	/** Services that ran and were ended. */
	stopped: ServiceName[];
	/** What goes on without them. */
	machines: number;
	movers: number;
}

/**
 * Ends the services of an installation, whoever keeps them. Machines and movers are not touched.
 * Throws `timeout` when a service does not even go on SIGKILL.
 */
export async function takeDown(home: string, say: (message: string) => void): Promise<DownResult> {
	// First of all, or it would start again what we end.
	await end(home, 'keeper', 5_000);
	const stopped: ServiceName[] = [];
	for (const { name, politeMs } of stopOrder) {
		if (!(await serviceHolder(home, name))) continue;
		say(`stopping ${name}`);
		await end(home, name, politeMs);
		stopped.push(name);
	}
	return { stopped, ...(await countRunning(home)) };
}

async function end(home: string, name: ServiceName | 'keeper', politeMs: number): Promise<void> {
	const { lockPath } = serviceFiles(home, name);
	if (await endHolder(lockPath, { politeMs })) return;
	const pid = (await lockHolder(lockPath))?.pid;
	throw new RouseError('timeout', `${name} (pid ${pid}) does not end, not even by SIGKILL`, {
		hint: 'it hangs in the kernel, mostly on storage that does not answer',
	});
}

/** Machines and movers that run now, by the locks that they hold. */
export async function countRunning(home: string): Promise<{ machines: number; movers: number }> {
	const recoveries = places.recoveries(home);
	const locks: string[] = (await entries(places.repositoryMovers(home))).map(name =>
		join(places.repositoryMovers(home), name),
	);
	for (const name of await entries(recoveries))
		for (const file of await entries(join(recoveries, name))) locks.push(join(recoveries, name, file));
	let machines = 0;
	let movers = 0;
	for (const path of locks.filter(name => name.endsWith('.lock'))) {
		if (!(await lockHolder(path))) continue;
		if (path.endsWith('machine.lock')) machines += 1;
		else movers += 1;
	}
	return { machines, movers };
}

async function entries(directory: string): Promise<string[]> {
	try {
		return await readdir(directory);
	} catch (error) {
		if (isErrno(error, 'ENOENT') || isErrno(error, 'ENOTDIR')) return [];
		throw error;
	}
}
