import { asRouseError, RouseError } from '../model/errors.ts';
import { places } from '../system/installation.ts';
import { lockHolder } from '../system/process-lock.ts';
import { heldRecoveryLocks, locksIn } from '../system/recovery-locks.ts';
import { endHolder } from '../system/spawn-locked.ts';
import { endService, type ServiceName, serviceHolder, stopOrder } from './services.ts';
import { noteTakenDown } from './taken-down.ts';

export interface DownResult {
	/** Services that ran and were ended. */
	stopped: ServiceName[];
	/** What goes on without them. */
	machines: number;
	movers: number;
}

/**
 * Ends the services of an installation, whoever keeps them. Machines and the movers that they need are not touched.
 * Throws `timeout` when a service does not even go on SIGKILL.
 */
export async function takeDown(home: string, say: (message: string) => void): Promise<DownResult> {
	await note(home, say);
	// First of the processes, or it would start again what we end.
	await end(home, 'keeper', 5_000);
	const stopped: ServiceName[] = [];
	for (const { name, politeMs } of await stopOrder(home)) {
		if (!(await serviceHolder(home, name))) continue;
		say(`stopping ${name}`);
		await end(home, name, politeMs);
		stopped.push(name);
	}
	await endUnusedRepositoryMovers(home);
	return { stopped, ...(await countRunning(home)) };
}

/** On a disk that is full or read-only services are ended all the same. */
async function note(home: string, say: (message: string) => void): Promise<void> {
	try {
		await noteTakenDown(home);
	} catch (thrown) {
		const { message } = asRouseError(thrown);
		say(
			`that the services are taken down cannot be noted (${message}): a rouse up that stays with them starts them again`,
		);
	}
}

async function end(home: string, name: ServiceName | 'keeper', politeMs: number): Promise<void> {
	if (await endService(home, name, politeMs)) return;
	const pid = (await serviceHolder(home, name))?.pid;
	throw new RouseError('timeout', `${name} (pid ${pid}) does not end, not even by SIGKILL`, {
		hint: 'it hangs in the kernel, mostly on storage that does not answer',
	});
}

/** Machines and movers that run now, by the locks that they hold. */
async function countRunning(home: string): Promise<{ machines: number; movers: number }> {
	const held = await heldRecoveryLocks(places.recoveries(home));
	const machines = held.filter(({ of }) => of === 'machine').length;
	return { machines, movers: held.length - machines + (await heldRepositoryLocks(home)).length };
}

/** The supervisor ends them after a while; one that went before leaves them to nobody. */
async function endUnusedRepositoryMovers(home: string): Promise<void> {
	const held = await heldRecoveryLocks(places.recoveries(home));
	if (held.some(({ of }) => of === 'mover')) return; // whose, the movers themselves know
	for (const path of await heldRepositoryLocks(home)) await endHolder(path, { politeMs: 2_000 });
}

async function heldRepositoryLocks(home: string): Promise<string[]> {
	const held: string[] = [];
	for (const path of await locksIn(places.repositoryMovers(home))) if (await lockHolder(path)) held.push(path);
	return held;
}
