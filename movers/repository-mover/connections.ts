import { connect, type Socket } from 'node:net';
import type { Hello } from './protocol/hello.ts';

/** Where a connection's bytes go. */
export interface Inlet {
	/** Where the next ones go. Valid until some have come. */
	readonly room: Buffer;
	/** So many have come into `room`. False: none may come before the opened connection is to go on. */
	filled(bytes: number): boolean;
}

export interface Opened {
	/** What is written to it is sent when it is there; its failures are events, which it does not mind if nobody hears. */
	socket: Socket;
	goOn(): void;
	/** How much has come of it, where silence has a meaning. */
	heardBytes?: () => number;
}

/** How a repository mover is reached, and what is said to it there. */
export interface MoverConnections {
	/** For people. */
	readonly at: string;
	readonly hello: Hello;
	/** A connection that is waited for and says nothing for so long is dead, and so are idle ones. Absent: silence means nothing. */
	readonly silenceMs?: number;
	open(inlet: Inlet): Promise<Opened>;
}

/** To a mover of this host, by its chunk socket; `stream` says whose copy it is. */
export function overSocket(chunkSocket: string, stream = ''): MoverConnections {
	return {
		at: chunkSocket,
		hello: { naming: 'references', says: stream },
		open: async inlet => {
			const onread = { buffer: () => inlet.room, callback: (bytes: number) => inlet.filled(bytes) };
			const socket = connect({ path: chunkSocket, onread }).on('error', () => {});
			return { socket, goOn: () => void socket.resume() };
		},
	};
}
