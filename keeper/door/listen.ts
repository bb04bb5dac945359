import { once } from 'node:events';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { certifiedCallersOnly } from '../../system/certified-callers.ts';

/** PEM files, and where to listen. */
export interface DoorFrame {
	/** Of those who are to enter. */
	authority: string;
	own: { key: string; certificate: string };
	host: string;
	port: number;
}

/** Listens for callers of Temporal, and hands on who shows a certificate of the authority. */
export async function listenForCallers(
	{ authority, own, host, port }: DoorFrame,
	enter: (caller: TLSSocket) => void,
): Promise<Server> {
	const server = createServer(
		{
			...(await certifiedCallersOnly({ authority, own }, ['h2'])),
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
