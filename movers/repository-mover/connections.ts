import { Agent, type ClientRequest, type RequestOptions, request } from 'node:http';
import type { Socket } from 'node:net';
import type { PlacedRef } from '../../repository/chunk-source.ts';
import { encodeRequest, streamHeader } from './wire.ts';

/** A request or its answer. */
export interface Exchange {
	readonly socket: Socket | null;
	destroy(error: Error): unknown;
}

/** How a repository mover is reached, and what is said to it there. */
export interface MoverConnections {
	/** For people. */
	readonly at: string;
	readonly headers: Readonly<Record<string, string>>;
	encode(refs: readonly PlacedRef[]): Buffer;
	request(options: RequestOptions): ClientRequest;
	/** What is awaited; where silence has a meaning, silence for too long ends the exchange. */
	heard<T>(exchange: Exchange, awaited: Promise<T>): Promise<T>;
	close(): void;
}

/** To a mover of this host, by its chunk socket; `stream` says whose copy it is. */
export function overSocket(chunkSocket: string, stream?: string): MoverConnections {
	const agent = new Agent({ keepAlive: true, maxFreeSockets: 16 });
	return {
		at: chunkSocket,
		headers: stream === undefined ? {} : { [streamHeader]: stream },
		encode: encodeRequest,
		request: options => request({ ...options, socketPath: chunkSocket, agent }),
		heard: (_exchange, awaited) => awaited,
		close: () => agent.destroy(),
	};
}
