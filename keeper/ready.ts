import { readFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { isGrpcServiceError } from '@temporalio/client';
import * as z from 'zod';
import { connectTo, type TemporalClient, unreachable } from '../client/connection.ts';
import { type ErrorCode, RouseError } from '../model/errors.ts';
import { SupervisorClient } from '../supervisor/client.ts';
import { isErrno } from '../system/durable-file.ts';
import { exists } from '../system/if-there.ts';
import { type Config, type Installation, places, readIdentity } from '../system/installation.ts';
import { readTemporalTarget, type TemporalTarget } from '../system/temporal-target.ts';
import { waitFor } from '../system/wait.ts';
import { prepareNamespace } from '../workers/temporal-server.ts';
import { taskQueues } from '../workflows/contracts.ts';
import { keepsControlWorker } from './control-worker.ts';
import { servedAnswers, silentAmong } from './served-answers.ts';
import { servedBy } from './served-services.ts';
import { runningServices, type ServiceName, serviceFiles, serviceHolder, serviceNames } from './services.ts';

export interface ReadyInstallation {
	home: string;
	temporal: TemporalTarget;
	supervisorSocket: string;
	services: { name: ServiceName; pid: number }[];
	/** What is served of repositories and does not answer, and why: recoveries of other hosts wait for it, all else runs. */
	silent: string[];
}

/** A cold start compiles, bundles and opens a database on a machine that may be busy with other things. */
const readyWithinMs = 90_000;

/**
 * Waits until the services of an installation answer: Temporal (whose namespace is prepared on the way), the supervisor,
 * a worker of this installation on each queue, and what is served to hosts elsewhere. Throws the code of what is missing,
 * with the end of its log; of a repository that is served it is told instead (`silent`).
 */
export async function waitUntilReady(
	installation: Installation,
	config: Config,
	{ signal, step }: { signal: AbortSignal; step: (what: string) => void },
): Promise<ReadyInstallation> {
	const deadline = performance.now() + readyWithinMs;
	const inTime = async <T>(name: ServiceName, look: () => Promise<T | undefined>): Promise<T | undefined> => {
		step(`waiting for ${name}`);
		try {
			const timeoutMs = Math.max(0, deadline - performance.now());
			return await waitFor(name, () => unlessUnreachable(look, () => mustBeKept(installation.home)), {
				timeoutMs,
				everyMs: 100,
				signal,
			});
		} catch (error) {
			if (!(error instanceof RouseError) || error.code !== 'timeout') throw error;
			return undefined;
		}
	};
	const until = async <T>(name: ServiceName, code: ErrorCode, look: () => Promise<T | undefined>): Promise<T> => {
		const found = await inTime(name, look);
		if (found === undefined) throw await explain(installation.home, name, code);
		return found;
	};
	const supervisor = SupervisorClient.of(installation);
	await until('supervisor', 'supervisor_unreachable', () => supervisor.host({ signal, timeoutMs: 2_000 }));
	let temporal: TemporalClient | undefined;
	// Asked each time: a keeper that has just started may put the server elsewhere.
	const connected = async (): Promise<TemporalClient> => {
		const target = await readTemporalTarget(installation, config);
		if (temporal && isDeepStrictEqual(temporal.target, target)) return temporal;
		await temporal?.close();
		temporal = undefined;
		temporal = await connectTo(target);
		return temporal;
	};
	try {
		const isControl = keepsControlWorker(config);
		// The server answers a moment before its namespace is there, which is prepared where control workers are.
		await until('temporal', 'temporal_unreachable', async () => {
			const { client, target } = await connected();
			const { namespace } = target;
			await answered<unknown>(target, () =>
				isControl
					? prepareNamespace(client.connection, namespace, { make: config.temporal.database === 'postgres' })
					: client.workflowService.describeNamespace({ namespace }),
			);
			return true;
		});
		const hostId = await until('supervisor', 'supervisor_unreachable', () =>
			readIdentity(places.hostIdentity(installation.home)),
		);
		const polls = (name: ServiceName, queue: string) =>
			until(name, 'worker_missing', async () =>
				(await isPolled(await connected(), installation.home, name, queue)) ? true : undefined,
			);
		if (isControl) await polls('control-worker', taskQueues.control);
		await polls('host-worker', taskQueues.host(hostId));
		const { home } = installation;
		const silent = await silentAmong(servedBy(installation, config), {
			answers: async ({ name, ...at }) => {
				const said = await inTime(name, async () => (await servedAnswers(home, at)) || undefined);
				return said !== undefined;
			},
			explain: ({ name }) => explain(home, name, 'precheck_failed'),
		});
		return { ...(await describe(installation, (await connected()).target)), silent };
	} finally {
		await temporal?.close();
	}
}

/** The server remembers a poller for minutes after its end: only one of the process that runs now counts. */
async function isPolled(temporal: TemporalClient, home: string, name: ServiceName, queue: string): Promise<boolean> {
	const holder = await serviceHolder(home, name);
	if (!holder) return false;
	const { pollers } = await answered(temporal.target, () =>
		temporal.client.workflowService.describeTaskQueue({
			namespace: temporal.target.namespace,
			taskQueue: { name: queue },
			taskQueueType: name === 'host-worker' ? activityQueue : workflowQueue,
		}),
	);
	// The SDK's default identity is PID@HOSTNAME.
	return (pollers ?? []).some(poller => poller.identity?.startsWith(`${holder.pid}@`));
}

/** A server that cannot answer now is asked again. */
async function answered<T>(target: TemporalTarget, call: () => Promise<T>): Promise<T> {
	try {
		return await call();
	} catch (error) {
		throw isGrpcServiceError(error) ? unreachable(target, error) : error;
	}
}

/** TaskQueueType: temporal/api/enums/v1/task_queue.proto. */
const workflowQueue = 1;
const activityQueue = 2;

async function describe(
	installation: Installation,
	target: TemporalTarget,
): Promise<Omit<ReadyInstallation, 'silent'>> {
	const { home, runDirectory } = installation;
	return {
		home,
		temporal: target,
		supervisorSocket: places.supervisorSocket(runDirectory),
		services: await runningServices(home),
	};
}

/** Undefined while nobody answers: that comes, as long as `still` does not throw. */
async function unlessUnreachable<T>(
	look: () => Promise<T | undefined>,
	still: () => Promise<void>,
): Promise<T | undefined> {
	try {
		const found = await look();
		if (found !== undefined) return found;
	} catch (error) {
		if (!(error instanceof RouseError) || error.retry !== 'transient') throw error;
	}
	await still();
	return undefined;
}

/** Without its keeper nothing comes: a port is taken, or a tool is missing. */
async function mustBeKept(home: string): Promise<void> {
	if (await serviceHolder(home, 'keeper')) return;
	const { logPath } = serviceFiles(home, 'keeper');
	const why = (await lastWordsOfKeeper(home)) ?? 'their keeper was ended';
	throw new RouseError('precheck_failed', `the services are not kept: ${why}`, {
		hint: `mend that, then rouse up again; more in ${logPath}`,
	});
}

/** Why it ended; undefined when it was told to, or was killed. */
export async function lastWordsOfKeeper(home: string): Promise<string | undefined> {
	return lastWords(await lastLines(serviceFiles(home, 'keeper').logPath, 1));
}

const fatalLineSchema = z.object({ level: z.literal('fatal'), msg: z.string(), hint: z.string().optional() });

/** Why a process ended, by the last line of its log; one that was told to end, or was killed, has no such line. */
export function lastWords(line: string): string | undefined {
	let document: unknown;
	try {
		document = JSON.parse(line);
	} catch {
		return undefined; // cut off, or what Node says by itself
	}
	const words = fatalLineSchema.safeParse(document).data;
	return words && `${words.msg}${words.hint ? ` (${words.hint})` : ''}`;
}

async function explain(home: string, name: ServiceName, code: ErrorCode): Promise<RouseError> {
	// Temporal is reached through three processes, and any of them may be what is wrong, or its database.
	const database = (await exists(serviceFiles(home, 'postgres').logPath)) ? (['postgres'] as const) : [];
	const asked = name === 'temporal' ? [...database, ...serviceNames.filter(one => one.startsWith('temporal'))] : [name];
	const ends: string[] = [];
	for (const one of asked) {
		const tail = await lastLines(serviceFiles(home, one).logPath);
		const running = (await serviceHolder(home, one)) ? 'runs' : 'does not stay up';
		ends.push(`${one} ${running}${tail ? `; the end of its log:\n${tail}` : ''}`);
	}
	return new RouseError(code, `${name} does not answer (${readyWithinMs / 1000} s)\n${ends.join('\n')}`, {
		hint: `look into ${serviceFiles(home, name).logPath} and ${serviceFiles(home, 'keeper').logPath}; after a change of config.yaml: rouse down, then rouse up`,
	});
}

async function lastLines(path: string, count = 8): Promise<string> {
	try {
		return (await readFile(path, 'utf8')).trimEnd().split('\n').slice(-count).join('\n');
	} catch (error) {
		if (isErrno(error, 'ENOENT')) return '';
		throw error;
	}
}
