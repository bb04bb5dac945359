import { once } from 'node:events';
import type { RouseError } from '../../model/errors.ts';
import { HostGate } from '../../repository/service/host-gate.ts';
import { readTokenKey, serviceKeys } from '../../repository/service/service-keys.ts';
import type { Clock } from '../../system/clock.ts';
import { LateRepository } from './late-repository.ts';
import { PointRequests } from './point-requests.ts';
import { ChunkServer } from './serve-chunks.ts';
import { serveTls } from './serve-tls.ts';
import { aliveEveryMs } from './wire.ts';

export interface ServedRepository {
	directory: string;
	/** Of the installation that serves: its record says which hosts are let in. */
	home: string;
	listen: { host: string; port: number };
	clock: Clock;
	signal: AbortSignal;
	/** Why it, or the record of hosts, cannot be read at present; once a reason. */
	onFailure: (error: RouseError) => void;
}

/** Serves a repository's chunks to movers of other hosts until the signal aborts. `port` is the one it listens on. */
export async function serveRepository(options: ServedRepository): Promise<{ port: number; ended: Promise<void> }> {
	const { directory, home, listen, clock, signal, onFailure } = options;
	const keys = await serviceKeys(home);
	const gate = new HostGate(home, 'repositories');
	const repository = new LateRepository(directory, onFailure);
	const { read } = new PointRequests(await readTokenKey(keys), repository);
	const chunks = new ChunkServer(async () => (await repository.open()).source, { clock, read, aliveEveryMs });
	const { server, port } = await serveTls(listen, keys, chunks.listener, { gate });
	const watched = gate.watch({ clock, signal, onFailure });
	const ended = Promise.all([once(server, 'close'), watched]).then(() => undefined);
	const close = () => {
		server.close();
		server.closeAllConnections(); // whoever waits asks the next one
	};
	if (signal.aborted) close();
	else signal.addEventListener('abort', close, { once: true });
	return { port, ended };
}
