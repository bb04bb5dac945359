import type { Server } from 'node:tls';
import { devServerAddress } from '../../workers/temporal-server.ts';
import { keysIn } from './keys.ts';
import { listenForCallers } from './listen.ts';
import { splice } from './splice.ts';

export interface DoorOptions {
	/** Directory of the keys. */
	keys: string;
	port: number;
	/** Of the forwarder. */
	socket: string;
}

/**
 * The one place at which Temporal can be reached from this machine, for Temporal's SDK knows no Unix socket: a port of loopback
 * that opens for a certificate of this installation's own authority.
 */
export function openDoor({ keys, port, socket }: DoorOptions): Promise<Server> {
	const { authority, door } = keysIn(keys);
	return listenForCallers({ authority, own: door, host: devServerAddress, port }, caller =>
		splice(caller, { path: socket }),
	);
}
