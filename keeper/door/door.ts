import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:tls';
import { devServerAddress } from '../../workers/temporal-server.ts';
import { join } from './join.ts';
import { keysIn } from './keys.ts';

export interface DoorOptions {
	/** Directory of the keys. */
	keys: string;
	port: number;
	/** Of the forwarder. */
	socket: string;
}

/** Who says nothing holds a connection for so long. */
const handshakeTimeoutMs = 10_000;

/**
 * The one place at which Temporal can be reached, for Temporal's SDK knows no Unix socket: a port of loopback that opens for a
 * certificate of this installation's own authority. Everybody on the machine, guests and browsers among them, may knock.
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
		},
		caller => join(caller, { path: socket }),
	);
	// Of one who was refused: nothing more is known of them, and they may come a thousand times.
	server.on('tlsClientError', (_refused, caller) => caller.destroy());
	server.listen(port, devServerAddress);
	await once(server, 'listening');
	return server;
}
