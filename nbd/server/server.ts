import { createServer } from 'node:net';
import { rm } from 'node:fs/promises';
import { listenOnSocket } from '../../system/unix-http.ts';
import { NbdConnection } from './connection.ts';
import type { NbdExports } from './export.ts';

export interface NbdServer {
	/** Clients at present. */
	readonly connections: number;
	/** Ends all connections, whatever they wait for, and removes the socket. */
	close(): Promise<void>;
}

/**
 * Serves the exports on a Unix socket that only this user may open. Errors as `listenOnSocket`. Each read of a
 * socket gets a buffer of its own: Node's servers take no `onread` (net.createServer).
 */
export async function serveNbd(socketPath: string, exports: NbdExports): Promise<NbdServer> {
	const connections = new Set<NbdConnection>();
	const server = createServer(socket => {
		const connection = new NbdConnection(socket, exports);
		connections.add(connection);
		socket.once('close', () => connections.delete(connection));
	});
	await listenOnSocket(server, socketPath);
	return {
		get connections() {
			return connections.size;
		},
		async close() {
			const closed = new Promise<void>(resolve => {
				server.close(() => resolve());
			});
			for (const connection of connections) connection.destroy();
			await closed;
			await rm(socketPath, { force: true });
		},
	};
}
