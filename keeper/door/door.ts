import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:tls';
import { devServerAddress } from '../../workers/temporal-server.ts';
import { splice } from './splice.ts';
import { keysIn } from './keys.ts';

export interface DoorOptions {
	/** Directory of the keys. */
	keys: string;
	port: number;
	/** Of the forwarder. */
	socket: string;
}

/** A connection without a handshake is closed after this. */
const handshakeTimeoutMs = 10_000;

/**
 * The one place at which Temporal can be reached, for Temporal's SDK knows no Unix socket: a port of loopback that opens for a
 * certificate of this installation's own authority.
 */
export async function openDoor({ keys, port, socket }: DoorOptions): Promise<Server> {
	const { authority, door } = keysIn(keys);
	const server = createServer(
		{
			ca: await readFile(authority),
			cert: await readFile(door.certificate),
			key: await readFile(door.key),
			requestCert: true,
			rejectUnauthorized: true,
			minVersion: 'TLSv1.3',
			ALPNProtocols: ['h2'],
			handshakeTimeout: handshakeTimeoutMs,
			noDelay: true,
		},
		caller => splice(caller, { path: socket }),
	);
	// Not logged: whoever is refused could fill the log.
	server.on('tlsClientError', (_refused, caller) => caller.destroy());
	server.listen(port, devServerAddress);
	await once(server, 'listening');
	return server;
}
