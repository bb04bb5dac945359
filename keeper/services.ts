import { basename, join } from 'node:path';
import * as z from 'zod';
import { exists } from '../system/if-there.ts';
import { type Installation, places } from '../system/installation.ts';
import { type LockHolder, lockHolder } from '../system/process-lock.ts';
import { locksIn } from '../system/recovery-locks.ts';
import { runTool } from '../system/run-tool.ts';
import { endHolder, type Program } from '../system/spawn-locked.ts';

/** In the order in which they are started; they are stopped in the order of {@link stopOrder}. */
export const serviceNames = [
	'supervisor',
	'temporal',
	'temporal-forwarder',
	'temporal-door',
	'control-worker',
	'host-worker',
] as const;
export type InnerServiceName = (typeof serviceNames)[number];

/** Where config.yaml says `serve`: Temporal's door for hosts elsewhere, and a service for each repository. */
const servedNameSchema = z.union([z.literal('host-door'), z.templateLiteral(['repo-serve-', z.string()])]);
export type ServedName = z.infer<typeof servedNameSchema>;

/** Where Temporal has its histories in PostgreSQL. */
const databaseName = 'postgres';

export const serviceNameSchema = z.union([z.enum(serviceNames), z.literal(databaseName), servedNameSchema]);
export type ServiceName = z.infer<typeof serviceNameSchema>;

/** A program that `rouse up` keeps running. */
export interface Service {
	name: ServiceName;
	/** Asked before each start; undefined while what it needs is not there yet. */
	program: () => Promise<Program | undefined>;
	env: NodeJS.ProcessEnv;
	/** It ends by itself when this one has ended; that is no death. */
	follows?: ServiceName;
}

export interface ServiceFiles {
	lockPath: string;
	logPath: string;
}

/** Workers first, so that they can still tell the others how their work ended; last what guests elsewhere read from. */
export async function stopOrder(home: string): Promise<{ name: ServiceName; politeMs: number }[]> {
	const served = await servedNames(home);
	return [
		// A worker drains for at most ten seconds and ends itself; two more for that.
		{ name: 'host-worker', politeMs: 12_000 },
		{ name: 'control-worker', politeMs: 12_000 },
		{ name: 'host-door', politeMs: 2_000 },
		{ name: 'temporal-door', politeMs: 2_000 },
		{ name: 'temporal-forwarder', politeMs: 2_000 },
		{ name: 'temporal', politeMs: 10_000 },
		{ name: databaseName, politeMs: 20_000 }, // it writes out what it has in memory
		{ name: 'supervisor', politeMs: 5_000 },
		...served.filter(name => name !== 'host-door').map(name => ({ name, politeMs: 2_000 })),
	];
}

/**
 * Ends a service, politely first; false when it is there even after SIGKILL. On SIGTERM PostgreSQL would wait for everybody who
 * is logged in: https://www.postgresql.org/docs/current/server-shutdown.html.
 */
export async function endService(home: string, name: ServiceName | 'keeper', politeMs: number): Promise<boolean> {
	const { lockPath } = serviceFiles(home, name);
	if (name !== databaseName) return endHolder(lockPath, { politeMs });
	return (await endHolder(lockPath, { politeMs, politely: 'SIGINT' })) && childrenEnd(lockPath);
}

/**
 * Of a PostgreSQL that was killed: its children see that and end, but may be writing still. They hold its lock, of which the kernel
 * tells the pid that took it, and so nobody who is there: it is known to be free by taking it.
 */
async function childrenEnd(lockPath: string): Promise<boolean> {
	if (!(await exists(lockPath))) return true;
	const { code } = await runTool('flock', ['-w', '30', lockPath, 'true'], { hint: 'apt-get install util-linux' });
	return code === 0;
}

/** Of whatever configuration: all of which there is a lock, held or not. */
export async function servedNames(home: string): Promise<ServedName[]> {
	const names = (await locksIn(places.services(home))).map(path => basename(path, '.lock'));
	return names.toSorted().flatMap(name => servedNameSchema.safeParse(name).data ?? []);
}

/** Those that run, in the order in which they are started. */
export async function runningServices(home: string): Promise<{ name: ServiceName; pid: number }[]> {
	const running: { name: ServiceName; pid: number }[] = [];
	const [first, ...others] = serviceNames;
	for (const name of [first, databaseName, ...others, ...(await servedNames(home))] as const) {
		const holder = await serviceHolder(home, name);
		if (holder) running.push({ name, pid: holder.pid });
	}
	return running;
}

export function serviceFiles(home: string, name: ServiceName | 'keeper'): ServiceFiles {
	const directory = places.services(home);
	return { lockPath: join(directory, `${name}.lock`), logPath: join(directory, `${name}.log`) };
}

export function serviceHolder(home: string, name: ServiceName | 'keeper'): Promise<LockHolder | undefined> {
	return lockHolder(serviceFiles(home, name).lockPath);
}

/** Environment of everything that belongs to an installation: its home, and compiled modules for a quick start. */
export function serviceEnvironment({ home, cacheDirectory }: Installation, env = process.env): NodeJS.ProcessEnv {
	return { ...env, ROUSE_HOME: home, NODE_COMPILE_CACHE: join(cacheDirectory, 'compile') };
}
