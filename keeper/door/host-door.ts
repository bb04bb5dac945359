import type { Server, TLSSocket } from 'node:tls';
import type { AdmittedHost } from '../../repository/service/admitted-hosts.ts';
import { HostGate } from '../../repository/service/host-gate.ts';
import { serviceKeys } from '../../repository/service/service-keys.ts';
import type { RouseError } from '../../model/errors.ts';
import type { Clock } from '../../system/clock.ts';
import { loadConfig } from '../../system/installation.ts';
import { taskQueues } from '../../workflows/contracts.ts';
import { listenForCallers } from './listen.ts';
import { objectionTo } from './host-calls.ts';
import { narrow } from './narrow.ts';

export interface HostDoorOptions {
	home: string;
	/** An address of this machine, and a port of it. */
	host: string;
	port: number;
	/** Of the forwarder. */
	socket: string;
}

/**
 * The place at which hosts elsewhere reach the embedded Temporal server: it opens for the certificate of a host that is admitted
 * to it (repository/service/admitted-hosts.ts), lets it make the calls of a host's worker (host-calls.ts), takes steps of its own
 * queues to it, and shuts on one that is withdrawn.
 */
export async function openHostDoor(
	{ home, host, port, socket }: HostDoorOptions,
	more: {
		clock: Clock;
		onFailure: (error: RouseError) => void;
		onRefused: (refused: { host: string; call: string | undefined; why: string }) => void;
	},
): Promise<Server> {
	const { authority, server: own } = await serviceKeys(home);
	const gate = new HostGate(home, 'temporal');
	const enter = async (caller: TLSSocket) => {
		caller.on('error', () => caller.destroy()); // also while it waits for the answer
		const admitted = await gate.admittedAs(caller).catch(() => undefined);
		if (admitted === undefined) caller.destroy();
		else
			narrow(caller, {
				socket,
				objection: path => objectionTo(path, () => queuesOf(home, admitted)),
				onRefused: (call, why) => more.onRefused({ host: admitted.host, call, why }),
			});
	};
	const server = await listenForCallers({ authority, own, host, port }, caller => void enter(caller));
	const closed = new AbortController();
	server.once('close', () => closed.abort());
	void gate.watch({ ...more, signal: closed.signal });
	return server;
}

/** Of the id with which it was admitted, or that config.yaml has for its name; none where nobody knows it. */
async function queuesOf(home: string, { host, hostId }: AdmittedHost): Promise<string[]> {
	const id = hostId ?? (await loadConfig({ home })).hosts[host]?.id;
	return id === undefined ? [] : [taskQueues.host(id), taskQueues.hostCopy(id)];
}
