import { once } from 'node:events';
import type { RouseError } from '../../model/errors.ts';
import { readTokenKey, type ServiceKeys } from '../../repository/service/service-keys.ts';
import type { Clock } from '../../system/clock.ts';
import { LateRepository } from './late-repository.ts';
import { PointRequests } from './point-requests.ts';
import { ChunkServer } from './serve-chunks.ts';
import { serveTls } from './serve-tls.ts';
import { aliveEveryMs } from './wire.ts';

export interface ServedRepository {
	directory: string;
	keys: ServiceKeys;
	listen: { host: string; port: number };
	clock: Clock;
	signal: AbortSignal;
	/** Why it cannot be opened at present; once a reason. */
	onFailure: (error: RouseError) => void;
}

/** Serves a repository's chunks to movers of other hosts until the signal aborts. `port` is the one it listens on. */
export async function serveRepository(options: ServedRepository): Promise<{ port: number; ended: Promise<void> }> {
	const { directory, keys, listen, clock, signal, onFailure } = options;
	const repository = new LateRepository(directory, onFailure);
	const { read } = new PointRequests(await readTokenKey(keys), repository);
	const chunks = new ChunkServer(async () => (await repository.open()).source, { clock, read, aliveEveryMs });
	const { server, port } = await serveTls(listen, keys, chunks.listener);
	const ended = once(server, 'close').then(() => undefined);
	const close = () => {
		server.close();
		server.closeAllConnections(); // whoever waits asks the next one
	};
	if (signal.aborted) close();
	else signal.addEventListener('abort', close, { once: true });
	return { port, ended };
}
