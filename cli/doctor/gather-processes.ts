/** Processes of an installation: the services, and those whose lock was removed under them. */
import { readdir, readFile, readlink, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { servedAnswers } from '../../keeper/served-answers.ts';
import { servedBy } from '../../keeper/served-services.ts';
import { runningServices, serviceFiles, serviceHolder } from '../../keeper/services.ts';
import { asRouseError } from '../../model/errors.ts';
import { SupervisorClient } from '../../supervisor/client.ts';
import { checkoutDirectory } from '../../system/checkout.ts';
import { isErrno } from '../../system/durable-file.ts';
import { type Config, type Installation, places } from '../../system/installation.ts';
import { flocksOn, processStartTicks } from '../../system/process-lock.ts';
import type { HeldFacts, ServiceFacts, SilentFacts, SupervisorFacts } from './facts.ts';

export async function gatherSupervisor(installation: Installation): Promise<SupervisorFacts> {
	const holder = await serviceHolder(installation.home, 'supervisor');
	if (holder === undefined) return { state: 'down' };
	try {
		const { protocol } = await SupervisorClient.of(installation).host();
		return { state: 'answers', protocol };
	} catch (error) {
		if (asRouseError(error).code !== 'supervisor_unreachable') throw error;
		return { state: 'silent', pid: holder.pid };
	}
}

export async function gatherServices({ home }: Installation): Promise<ServiceFacts[]> {
	const keeper = await serviceHolder(home, 'keeper');
	// Temporal's server and PostgreSQL are programs of their own.
	const services = (await runningServices(home)).filter(({ name }) => name !== 'temporal' && name !== 'postgres');
	const running = [...(keeper ? [{ name: 'keeper', pid: keeper.pid }] : []), ...services];
	return Promise.all(running.map(async one => ({ ...one, other: await otherProgram(one.pid) })));
}

/** An answer is waited for as the keeper does before it says that all is ready. */
export async function gatherSilent(installation: Installation, config: Config): Promise<SilentFacts[]> {
	const { home } = installation;
	if ((await serviceHolder(home, 'keeper')) === undefined) return [];
	const looks = servedBy(installation, config).map(async ({ name, key, host, port }): Promise<SilentFacts[]> => {
		if (await servedAnswers(home, { host, port })) return [];
		return [{ key, host, port, logPath: serviceFiles(home, name).logPath }];
	});
	return (await Promise.all(looks)).flat();
}

/** Undefined for a program of this checkout under this Node. */
async function otherProgram(pid: number): Promise<string | undefined> {
	const [node, commandLine] = await Promise.all([
		unlessGone(readlink(`/proc/${pid}/exe`)),
		unlessGone(readFile(`/proc/${pid}/cmdline`, 'utf8')),
	]);
	const script = commandLine?.split('\0')[1];
	if (node === undefined || script === undefined) return undefined; // it has ended meanwhile
	if (!script.startsWith(`${checkoutDirectory}/`)) return script;
	return node === (await realpath(process.execPath)) ? undefined : node;
}

/**
 * By the lock that each of them took: its file, which is open in the process, lay among the host's recoveries and has no
 * name any more. Processes of other users are not looked at.
 */
export async function gatherOrphans(home: string): Promise<HeldFacts[]> {
	const within = `${join(await realpath(home), 'host')}/`;
	const locks = await readFile('/proc/locks', 'latin1');
	const found: HeldFacts[] = [];
	for (const entry of await readdir('/proc')) {
		const pid = Number(entry);
		if (!Number.isInteger(pid) || pid === process.pid) continue;
		const startTicks = await processStartTicks(pid); // first: the lock is of the process that has this start
		const path = await deletedLockOf(pid, within, locks);
		if (path === undefined || startTicks === undefined) continue;
		const of = basename(path) === 'machine.lock' ? 'machine' : 'mover';
		const directory = dirname(path);
		const recovery = dirname(directory) === (await realpathOf(places.recoveries(home))) ? basename(directory) : '';
		found.push({ path, pid, of, recovery, startTicks });
	}
	return found;
}

async function deletedLockOf(pid: number, within: string, locks: string): Promise<string | undefined> {
	for (const fd of (await unlessGone(readdir(`/proc/${pid}/fd`))) ?? []) {
		const file = `/proc/${pid}/fd/${fd}`;
		const path = /^(.*\.lock) \(deleted\)$/.exec((await unlessGone(readlink(file))) ?? '')?.[1];
		if (path === undefined || !path.startsWith(within)) continue;
		const inode = (await unlessGone(stat(file, { bigint: true })))?.ino;
		// A child of the holder may have it open as well.
		if (inode !== undefined && flocksOn(locks, inode).some(lock => lock.pid === pid)) return path;
	}
	return undefined;
}

async function realpathOf(path: string): Promise<string> {
	return (await unlessGone(realpath(path))) ?? path;
}

async function unlessGone<T>(look: Promise<T>): Promise<T | undefined> {
	try {
		return await look;
	} catch (error) {
		if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].some(code => isErrno(error, code))) return undefined;
		throw error;
	}
}
