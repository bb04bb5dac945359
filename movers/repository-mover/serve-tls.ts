import type { RequestListener } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { RouseError } from '../../model/errors.ts';
import type { ServiceKeys } from '../../repository/service/service-keys.ts';
import { certifiedCallersOnly } from '../../system/certified-callers.ts';
import { mustBeSecret } from '../../system/secret-file.ts';
import type { HostGate } from '../../repository/service/host-gate.ts';
import { keepAliveMs } from './serve-chunks.ts';

/**
 * One on which nothing moved for so long is closed: the kernel would keep what a dead host has asked for longer. A living one
 * whose mover takes its time opens another.
 */
const unmovedByDefaultMs = 300_000;

/**
 * Serves requests to who shows a certificate of the authority and is let in by the gate, on a TCP address; a port of 0 is one
 * that is free. Others learn nothing: the certificate that they see names nobody, and no byte of ours follows it.
 */
export async function serveTls(
	{ host, port }: { host: string; port: number },
	{ authority, server: own }: Pick<ServiceKeys, 'authority' | 'server'>,
	listener: RequestListener,
	{ gate, unmovedMs = unmovedByDefaultMs }: { gate: Pick<HostGate, 'admits'>; unmovedMs?: number },
): Promise<{ server: Server; port: number }> {
	await mustBeSecret(own.key);
	const server = createServer(
		{
			...(await certifiedCallersOnly({ authority, own }, 'http/1.1')),
			noDelay: true,
		},
		(request, response) => void admit(request.socket, () => listener(request, response)),
	);
	const admit = async (caller: Socket, enter: () => void) => {
		const admitted = await gate.admits(caller).catch(() => false);
		if (!admitted) caller.destroy();
		else if (!caller.destroyed) enter(); // whoever has gone meanwhile ends no answer
	};
	server.keepAliveTimeout = keepAliveMs;
	server.setTimeout(unmovedMs);
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
	const address = server.address();
	return { server, port: isTcp(address) ? address.port : port };
}

function isTcp(address: AddressInfo | string | null): address is AddressInfo {
	return typeof address === 'object' && address !== null;
}
