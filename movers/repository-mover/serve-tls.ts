import type { RequestListener } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { RouseError } from '../../model/errors.ts';
import type { HostGate } from '../../repository/service/host-gate.ts';
import type { ServiceKeys } from '../../repository/service/service-keys.ts';
import { certifiedCallersOnly } from '../../system/certified-callers.ts';
import { createServer as createHttp } from '../../system/node-http.ts';
import { mustBeSecret } from '../../system/secret-file.ts';
import { chunkProtocol, keepAliveMs } from './protocol/wire.ts';

/**
 * One on which nothing moved for so long is closed: the kernel would keep what a dead host has asked for longer. A living one
 * whose mover takes its time opens another.
 */
export const unmovedMs = 300_000;

export interface Served {
	/** Is given the connections of who speaks the chunk protocol. */
	chunks: (socket: Socket) => void;
	/** Answers who speaks HTTP. */
	asked: RequestListener;
}

export interface ServedTls {
	server: Server;
	port: number;
	/** Listens no more, and ends all connections: whoever waits asks the next one. */
	close: () => void;
}

/**
 * Serves who shows a certificate of the authority and is let in by the gate, on a TCP address; a port of 0 is one that is free.
 * Others learn nothing: the certificate that they see names nobody, and no byte of ours follows it.
 */
export async function serveTls(
	{ host, port }: { host: string; port: number },
	{ authority, server: own }: Pick<ServiceKeys, 'authority' | 'server'>,
	{ chunks, asked }: Served,
	{ gate }: { gate: Pick<HostGate, 'admits'> },
): Promise<ServedTls> {
	await mustBeSecret(own.key);
	const security = await certifiedCallersOnly({ authority, own }, [chunkProtocol, 'http/1.1']);
	const http = createHttp(asked);
	http.keepAliveTimeout = keepAliveMs;
	http.setTimeout(unmovedMs);
	const callers = new Set<Socket>();
	const enter = async (caller: TLSSocket) => {
		caller.on('error', () => {}); // and then it is closed
		caller.once('close', () => callers.delete(caller));
		callers.add(caller);
		const admitted = await gate.admits(caller).catch(() => false);
		if (!admitted) caller.destroy();
		else if (caller.destroyed) return;
		else if (caller.alpnProtocol === chunkProtocol) chunks(caller);
		else http.emit('connection', caller);
	};
	const server = createServer({ ...security, noDelay: true }, caller => void enter(caller));
	// Not logged: whoever is refused could fill the log.
	server.on('tlsClientError', (_refused, caller) => caller.destroy());
	await new Promise<void>((resolve, reject) => {
		server.once('error', cause =>
			reject(
				new RouseError('io_failed', `cannot listen on ${host}:${port}: ${cause.message}`, {
					cause,
					hint: 'choose an address of this host and a port that nobody has',
				}),
			),
		);
		server.listen({ host, port }, resolve);
	});
	const close = () => {
		server.close();
		for (const caller of callers) caller.destroy();
	};
	const address = server.address();
	return { server, port: isTcp(address) ? address.port : port, close };
}

function isTcp(address: AddressInfo | string | null): address is AddressInfo {
	return typeof address === 'object' && address !== null;
}
