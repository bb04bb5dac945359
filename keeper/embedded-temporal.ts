import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { RouseError } from '../model/errors.ts';
import { whileLocked } from '../system/held-lock.ts';
import { type Config, type Installation, places } from '../system/installation.ts';
import type { Log } from '../system/log.ts';
import { processStartTicks } from '../system/process-lock.ts';
import type { Program } from '../system/spawn-locked.ts';
import {
	namespaceOf,
	publishTemporalTarget,
	readPublishedTarget,
	type TemporalTarget,
} from '../system/temporal-target.ts';
import { withoutPowers } from '../system/without-powers.ts';
import { devServerAddress, devServerArguments } from '../workers/temporal-server.ts';
import type { ForwarderOptions } from './door/forwarder.ts';
import { findIsolation, isolated, isolationOf, namespacesOf } from './door/isolation.ts';
import { doorName, haveKeys, haveOtherKeys, keysIn, makeKeys, removeOtherKeys } from './door/keys.ts';
import { type ChosenPorts, choosePorts, readPorts } from './ports.ts';
import { databaseOf, mustHaveNoOther } from './one-database.ts';
import { prepareOnPostgres } from './postgres/prepare.ts';
import { databaseEnvironment } from './postgres/settings.ts';
import { endService, type Service, type ServiceName, serviceHolder } from './services.ts';
import { findTemporal } from './temporal-cli.ts';

/** The server that the keeper keeps, once everything about it is decided. */
export interface EmbeddedTemporal {
	/** As it is when nobody isolates it. */
	server: Program;
	/** PostgreSQL, where that has its histories. */
	database: (() => Promise<Program>) | undefined;
	/** Options of unshare(1); absent: not isolated. */
	isolation: readonly string[] | undefined;
	ports: ChosenPorts;
}

/**
 * Decides how the embedded server is run and reached, and publishes that. A server that runs otherwise – of a version without
 * a door, or from before the configuration was changed – is ended: its file goes on under the next one.
 */
export async function prepareTemporal(installation: Installation, config: Config, log: Log): Promise<EmbeddedTemporal> {
	const { home } = installation;
	const wanted = databaseOf(config);
	await mustHaveNoOther(home, wanted);
	const isolation = config.temporal.isolation === 'none' ? undefined : await findIsolation();
	const ports =
		(await adoptRunning(home, isolation !== undefined, log)) ??
		(await choosePorts(home, config.ports, { isolated: isolation !== undefined }));
	const programs =
		wanted === 'postgres'
			? await prepareOnPostgres(installation, ports.inside, { isolated: isolation !== undefined })
			: await prepareEmbedded(installation, ports.inside);
	const namespace = namespaceOf(installation);
	await whileKeysChange(home, async () => {
		const before = await readPublishedTarget(home);
		const keys = (await publishedKeys(home, before)) ?? (await makeKeys(home));
		const target = embeddedTarget({ port: ports.temporal, namespace, keys });
		// More than one set of keys: somebody died over new ones, and the door may still have the old.
		if (JSON.stringify(before) !== JSON.stringify(target) || (await haveOtherKeys(keys)))
			await changeTarget(home, target, keys);
	});
	return { ...programs, isolation, ports };
}

/** Temporal's development server, which has its database in itself. */
async function prepareEmbedded(
	installation: Installation,
	{ temporal: port, ui: uiPort }: ChosenPorts['inside'],
): Promise<Pick<EmbeddedTemporal, 'server' | 'database'>> {
	const found = await findTemporal(installation.cacheDirectory);
	if (!found) throw new RouseError('tool_missing', 'there is no Temporal CLI', { hint: 'rouse setup gets it' });
	const args = devServerArguments({ port, uiPort, namespace: namespaceOf(installation) });
	return { server: { command: found.path, args, cwd: places.temporal(installation.home) }, database: undefined };
}

/** As it is published: the port of the door, and what opens it. */
export function embeddedTarget(to: { port: number; namespace: string; keys: string }): TemporalTarget {
	const { authority, client } = keysIn(to.keys);
	return {
		address: `${devServerAddress}:${to.port}`,
		namespace: to.namespace,
		tls: { authority, certificate: client.certificate, key: client.key, serverName: doorName },
	};
}

/** One at a time: an abandoned set of keys is told from one that is being made. */
export async function whileKeysChange<T>(home: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
	await mkdir(places.services(home), { recursive: true, mode: 0o700 }); // of a home in which nothing ever ran
	return whileLocked(join(places.services(home), 'temporal-keys.lock'), work, signal);
}

/**
 * Publishes where Temporal is and ends who has read something else, workers first: they may still tell how their work ended.
 * Each reads it when it is started again. Last of all the old keys go, so that what a crash interrupts is seen and done again.
 */
export async function changeTarget(home: string, target: TemporalTarget, keys: string): Promise<void> {
	await publishTemporalTarget(home, target);
	await endServices(home, ['host-worker', 'control-worker', 'temporal-door']);
	await removeOtherKeys(keys);
}

/** Only those that lie in this home: of a home that was moved or copied the address names another place. */
async function publishedKeys(home: string, published: TemporalTarget | undefined): Promise<string | undefined> {
	const authority = published?.tls?.authority;
	if (authority === undefined) return undefined;
	const keys = dirname(authority);
	return dirname(keys) === places.temporalKeys(home) && (await haveKeys(keys)) ? keys : undefined;
}

/** Throws `timeout` when one does not even go on SIGKILL: it would go on with what it has read. */
export async function endServices(home: string, names: readonly ServiceName[]): Promise<void> {
	for (const name of names) {
		if (await endService(home, name, 12_000)) continue;
		throw new RouseError('timeout', `${name} does not end, not even by SIGKILL`);
	}
}

/** The ports of a server that runs as it should; one that runs otherwise is ended. */
async function adoptRunning(home: string, wantIsolated: boolean, log: Log): Promise<ChosenPorts | undefined> {
	const holder = await serviceHolder(home, 'temporal');
	if (holder === undefined) return undefined;
	const isIsolated = (await isolationOf(holder.pid)) !== undefined;
	const { temporal, inside } = (await readPorts(home)) ?? {};
	if (isIsolated === wantIsolated && temporal !== undefined && inside !== undefined) return { temporal, inside };
	log.warn({ pid: holder.pid }, 'the Temporal server that runs is reached in another way: it is replaced');
	await endEmbedded(home);
	return undefined;
}

/** Also where the configuration names a server elsewhere from now on. */
export async function endEmbedded(home: string): Promise<void> {
	await endServices(home, ['temporal-door', 'temporal-forwarder', 'temporal', 'postgres']);
}

/** The server, its forwarder and its door, each kept by itself. */
export function temporalServices(
	{ home, runDirectory }: Installation,
	{ server, database, isolation, ports }: EmbeddedTemporal,
	{ env, node }: { env: NodeJS.ProcessEnv; node: (path: string, ...args: string[]) => Program },
): Service[] {
	const service = (name: ServiceName, program: Service['program']): Service => ({ name, program, env });
	// What the person's own clients of PostgreSQL are told is for other databases.
	const noneOfPostgres = Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('PG')));
	const socket = places.temporalSocket(runDirectory);
	const forwards = [
		{ socket, port: ports.inside.temporal },
		{ socket: places.temporalUiSocket(runDirectory), port: ports.inside.ui },
	];
	const forwarder = async (): Promise<Program | undefined> => {
		const of = await serviceHolder(home, 'temporal');
		const there = of && (await placeOf(of.pid, isolation !== undefined));
		if (of === undefined || there === undefined) return undefined;
		// Looked at again: meanwhile the pid could have become another's.
		if ((await processStartTicks(of.pid)) !== of.startTicks) return undefined;
		const options: ForwarderOptions = { of, namespace: there.namespace, forwards };
		const { command, args } = await withoutPowers(node('keeper/door/forwarder-main.ts', JSON.stringify(options)));
		const [first = command, ...more] = [...there.enter, command, ...args];
		return { command: first, args: more };
	};
	const door = async (): Promise<Program | undefined> => {
		const authority = (await readPublishedTarget(home))?.tls?.authority;
		if (authority === undefined) return undefined;
		const options = { keys: dirname(authority), port: ports.temporal, socket };
		return withoutPowers(node('keeper/door/door-main.ts', JSON.stringify(options)));
	};
	return [
		...(database ? [{ ...service('postgres', database), env: databaseEnvironment(env) }] : []),
		{
			...service('temporal', async () => {
				const weak = await withoutPowers(server);
				return isolation ? isolated(weak, isolation) : weak;
			}),
			env: noneOfPostgres,
		},
		{ ...service('temporal-forwarder', forwarder), follows: 'temporal' },
		service('temporal-door', door),
	];
}

/** Undefined while the server is still on its way to where it will be. */
async function placeOf(
	pid: number,
	isIsolated: boolean,
): Promise<{ namespace: string; enter: readonly string[] } | undefined> {
	if (isIsolated) return isolationOf(pid);
	const here = await namespacesOf('self');
	return here && { namespace: here.net, enter: [] };
}
