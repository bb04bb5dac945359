import { access } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { boundLogs, boundLogsEveryMs } from '../system/bounded-log.ts';
import { isErrno } from '../system/durable-file.ts';
import { places } from '../system/installation.ts';
import type { Log } from '../system/log.ts';
import { type LockHolder, lockHolder, processStartTicks } from '../system/process-lock.ts';
import { RepeatedFailures } from '../system/repeated-failures.ts';
import { type Program, spawnLocked } from '../system/spawn-locked.ts';
import { recordDeath } from './deaths.ts';
import { type Service, type ServiceName, serviceFiles, serviceHolder } from './services.ts';

const lookEveryMs = 250;
/** Whoever lived this long did not die of how it was started: the next start is at once again. */
const soundAfterMs = 15_000;
const backoffMs = [0, 1_000, 2_000, 5_000, 10_000, 30_000] as const;

/**
 * Keeps one service running until `signal` is aborted, then leaves it alone. What holds the service's lock already is
 * the service, whoever started it: after the keeper itself died, its successor adopts it. Of an installation that was
 * removed it ends the service and returns: a service without its lock's file would be started a second time beside it, and
 * make directories anew.
 */
export async function keepService(
	service: Service,
	home: string,
	options: { signal: AbortSignal; log: Log; paceMs?: number },
): Promise<void> {
	const { signal, paceMs = lookEveryMs } = options;
	const log = options.log.child({ kept: service.name });
	const files = serviceFiles(home, service.name);
	let failures = 0;
	let startedAt: number | undefined;
	let known: LockHolder | undefined;
	const leading = async () => service.follows && (await serviceHolder(home, service.follows))?.pid;
	let leader: number | undefined;
	const standing = new RepeatedFailures();
	while (!signal.aborted) {
		const holder = await lockHolder(files.lockPath);
		if (holder === undefined && (await wasRemoved(files.lockPath))) return endRemoved(known, log);
		const now = performance.now();
		if (known && holder?.pid !== known.pid) {
			if (leader !== (await leading())) {
				log.info(`${service.name} has ended with ${service.follows}`);
				startedAt = undefined;
			} else await reportDeath(home, service.name, known, now - (startedAt ?? now), { log, logPath: files.logPath });
		}
		if (holder && holder.pid !== known?.pid) leader = await leading();
		known = holder;
		if (holder === undefined) {
			if (startedAt !== undefined) failures = now - startedAt > soundAfterMs ? 0 : failures + 1;
			if (!(await rest(backoffMs[Math.min(failures, backoffMs.length - 1)] ?? 0, signal))) return;
			const program = await programOf(service, standing, log);
			// As of one that dies at once: to try may cost much.
			if (program === 'failed') startedAt = performance.now();
			else if (program !== undefined) {
				startedAt = performance.now();
				leader = await leading();
				const started = await start(service, program, files, log);
				known = await lockHolder(files.lockPath);
				if (started) log.info(`${service.name} started`); // once its death would be seen
			}
		} else if (startedAt === undefined) {
			log.info(`${service.name} (pid ${holder.pid}) runs already`);
			startedAt = now;
		}
		if (!(await rest(paceMs, signal))) return;
	}
}

/** The directory of the locks: a lock's file alone is made by whoever takes it first. */
async function wasRemoved(lockPath: string): Promise<boolean> {
	try {
		await access(dirname(lockPath));
		return false;
	} catch (error) {
		if (isErrno(error, 'ENOENT')) return true;
		throw error;
	}
}

async function endRemoved(known: LockHolder | undefined, log: Log): Promise<void> {
	log.warn('the installation was removed');
	if (known === undefined || (await processStartTicks(known.pid)) !== known.startTicks) return;
	try {
		process.kill(known.pid, 'SIGTERM');
	} catch (error) {
		if (!isErrno(error, 'ESRCH')) throw error; // it has just ended
	}
}

/** A log that cannot be written is no reason to let a service lie. */
async function reportDeath(
	home: string,
	name: ServiceName,
	{ pid }: LockHolder,
	livedMs: number,
	{ log, logPath }: { log: Log; logPath: string },
): Promise<void> {
	log.warn(`${name} (pid ${pid}) ended after ${Math.round(livedMs / 1000)} s; see ${logPath}`);
	try {
		await recordDeath(home, { at: new Date().toISOString(), name, pid, livedMs: Math.round(livedMs) });
	} catch (error) {
		log.error({ err: error }, 'that could not be recorded');
	}
}

/** What stands in its way is said, and looked at again after a while. */
async function programOf(
	{ name, program }: Service,
	failures: RepeatedFailures,
	log: Log,
): Promise<Program | undefined | 'failed'> {
	try {
		const found = await program();
		failures.over(name);
		return found;
	} catch (error) {
		failures.failed(name, error, fields => log.error(fields, `${name} cannot be started; it is tried again`));
		return 'failed';
	}
}

/** False when nothing was started. A start that fails is said and, like an early death, tried again after a while. */
async function start(
	service: Service,
	program: Program,
	files: { lockPath: string; logPath: string },
	log: Log,
): Promise<boolean> {
	try {
		return (await spawnLocked({ ...files, ...program, env: service.env })).started;
	} catch (error) {
		log.error(`${service.name} could not be started: ${error instanceof Error ? error.message : String(error)}`);
		return false;
	}
}

/** Of the services, the keeper's own among them, until `signal` is aborted. */
export async function keepLogsBounded(home: string, { signal, log }: { signal: AbortSignal; log: Log }): Promise<void> {
	const failures = new RepeatedFailures();
	do {
		try {
			await boundLogs(places.services(home));
			failures.over('logs');
		} catch (error) {
			failures.failed('logs', error, fields => log.error(fields, 'logs could not be bounded; it is tried again'));
		}
	} while (await rest(boundLogsEveryMs, signal));
}

/** False when there is nothing more to do. */
async function rest(ms: number, signal: AbortSignal): Promise<boolean> {
	try {
		await delay(ms, undefined, { signal });
		return true;
	} catch (error) {
		if (signal.aborted) return false;
		throw error;
	}
}
