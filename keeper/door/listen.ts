import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type Server, type TLSSocket } from 'node:tls';

/** PEM files, and where to listen. */
export interface DoorFrame {
	/** Of those who are to enter. */
	authority: string;
	own: { key: string; certificate: string };
	host: string;
	port: number;
}

/** A connection without a handshake is closed after this. */
const handshakeTimeoutMs = 10_000;

/** Listens for callers of Temporal, and hands on who shows a certificate of the authority. */
export async function listenForCallers(
	{ authority, own, host, port }: DoorFrame,
	enter: (caller: TLSSocket) => void,
): Promise<Server> {
	const server = createServer(
		{
			ca: await readFile(authority),
			cert: await readFile(own.certificate),
			key: await readFile(own.key),
			requestCert: true,
			rejectUnauthorized: true,
			minVersion: 'TLSv1.3',
			ALPNProtocols: ['h2'],
			handshakeTimeout: handshakeTimeoutMs,
			noDelay: true,
		},
		enter,
	);
	// Not logged: whoever is refused could fill the log.
	server.on('tlsClientError', (_refused, caller) => caller.destroy());
	server.listen(port, host);
	await once(server, 'listening');
	return server;
}
