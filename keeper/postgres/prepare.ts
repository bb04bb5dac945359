import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import { replaceFileDurably } from '../../system/durable-file.ts';
import { freePort } from '../../system/free-port.ts';
import { type Installation, places } from '../../system/installation.ts';
import type { Program } from '../../system/spawn-locked.ts';
import { devServerAddress } from '../../workers/temporal-server.ts';
import { checkRoom, startableCluster } from './cluster.ts';
import type { PostgresPlaces } from './room.ts';
import { dynamicConfig, localPlace, serverConfig, type ServerPorts } from './server-config.ts';
import { findServer } from './server-program.ts';

/** Behind the frontend, in a network namespace of its own: Temporal's defaults. */
const usualPorts = { history: 7234, matching: 7235, worker: 7239 } as const;

/** Temporal's server on PostgreSQL, and PostgreSQL itself as it is to be started each time. */
export async function prepareOnPostgres(
	{ home, runDirectory, cacheDirectory }: Installation,
	inside: { temporal: number; ui: number },
	{ isolated }: { isolated: boolean },
): Promise<{ server: Program; database: () => Promise<Program> }> {
	const command = await findServer(cacheDirectory);
	if (command === undefined)
		throw new RouseError('tool_missing', "Temporal's server for PostgreSQL was not built yet", {
			hint: 'rouse up --temporal postgres gets it',
		});
	const at: PostgresPlaces = { data: places.postgres(home), sockets: places.postgresSockets(runDirectory) };
	await checkRoom(at);
	const directory = places.temporal(home);
	await mkdir(directory, { recursive: true, mode: 0o700 });
	const [config, dynamic] = [join(directory, 'server.json'), join(directory, 'server-dynamic.json')];
	const ports: ServerPorts = { frontend: inside.temporal, ...(isolated ? usualPorts : await freePorts()) };
	await replaceFileDurably(dynamic, `${JSON.stringify(dynamicConfig(), undefined, '\t')}\n`);
	const told = serverConfig(localPlace({ ports, sockets: at.sockets, dynamicConfig: dynamic }));
	await replaceFileDurably(config, `${JSON.stringify(told, undefined, '\t')}\n`);
	return {
		server: { command, args: [config, devServerAddress, String(inside.ui)], cwd: directory },
		database: () => startableCluster(at),
	};
}

async function freePorts(): Promise<Omit<ServerPorts, 'frontend'>> {
	const free = () => freePort(devServerAddress);
	return { history: await free(), matching: await free(), worker: await free() };
}
