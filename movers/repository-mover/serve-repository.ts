import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import type { RouseError } from '../../model/errors.ts';
import { Grants } from '../../repository/service/grants.ts';
import { HostGate } from '../../repository/service/host-gate.ts';
import { readTokenKey, serviceKeys } from '../../repository/service/service-keys.ts';
import type { Clock } from '../../system/clock.ts';
import { answerJson } from '../../system/unix-http.ts';
import { followLimit } from './follow-limit.ts';
import { HostRequests, hostOf, type HostRequestsOptions } from './host-requests.ts';
import { LateRepository } from './late-repository.ts';
import { PointRequests } from './point-requests.ts';
import { ChunkServer } from './serve-chunks.ts';
import { serveTls, unmovedMs } from './serve-tls.ts';
import { SharedRate } from './shared-rate.ts';
import { aliveEveryMs } from './protocol/wire.ts';

export interface ServedRepository extends Pick<HostRequestsOptions, 'access'> {
	directory: string;
	/** Of the installation that serves: its record says which hosts are let in, its config.yaml what they may read in a second. */
	home: string;
	listen: { host: string; port: number };
	clock: Clock;
	signal: AbortSignal;
	/** Why it, the record of hosts or config.yaml cannot be read at present; once a reason. */
	onFailure: (error: RouseError) => void;
}

/**
 * Serves a repository's chunks to movers of other hosts, and to their supervisors what they ask for, until the signal aborts.
 * `port` is the one it listens on. The repository may be away, or hang: movers wait then, and supervisors get their tokens.
 */
export async function serveRepository(options: ServedRepository): Promise<{ port: number; ended: Promise<void> }> {
	const { directory, home, listen, clock, signal, onFailure, access } = options;
	const keys = await serviceKeys(home);
	const tokenKey = await readTokenKey(keys);
	const gate = new HostGate(home, 'repositories');
	const repository = new LateRepository(directory, onFailure);
	const { admit } = new PointRequests(tokenKey, repository);
	const rate = new SharedRate(clock);
	const source = async () => (await repository.open()).source;
	const chunks = new ChunkServer(source, { clock, admit, aliveEveryMs, unmovedMs, rate });
	const grants = new Grants(home);
	const hosts = new HostRequests({ directory, tokenKey, grants, access });
	const asked: RequestListener = (incoming, outgoing) =>
		void answerJson(incoming, outgoing, async call => hosts.answer(hostOf(incoming), call));
	const { server, port, close } = await serveTls(listen, keys, { chunks: chunks.connected, asked }, { gate });
	void repository.open().catch(() => undefined); // `onFailure` is told before anybody asks
	const watched = gate.watch({ clock, signal, onFailure });
	const followed = followLimit(rate, { home, directory, clock, signal, onFailure });
	const ended = Promise.all([once(server, 'close'), watched, followed]).then(() => undefined);
	if (signal.aborted) close();
	else signal.addEventListener('abort', close, { once: true });
	return { port, ended };
}
