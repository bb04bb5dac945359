/** A stream of bytes over the sockets of unix-http.ts: a request that asks to be upgraded, as HTTP has it (RFC 9110, 7.8). */
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { asRouseError, type ErrorCode, RouseError } from '../model/errors.ts';
import { request } from './node-http.ts';
import { errorOf } from './unix-http.ts';

export interface StreamCall {
	/** Path without the query, split at "/" and decoded. */
	path: readonly string[];
	/** Aborted when the caller has gone. */
	signal: AbortSignal;
}

/** Gives the stream that is asked for. What it throws is the answer. */
export type StreamHandler = (call: StreamCall) => Promise<Duplex>;

/** Serves streams beside the JSON of the same server. When either side ends, the other is ended. */
export function serveStreams(server: Server, protocol: string, handle: StreamHandler): void {
	server.on('upgrade', (incoming: IncomingMessage, socket: Duplex, head: Buffer) => {
		void upgrade(incoming, socket, head, protocol, handle);
	});
}

async function upgrade(
	incoming: IncomingMessage,
	socket: Duplex,
	head: Buffer,
	protocol: string,
	handle: StreamHandler,
): Promise<void> {
	const gone = new AbortController();
	const leave = () => gone.abort();
	socket.once('close', leave);
	socket.once('error', leave); // followed by close
	try {
		if (incoming.headers.upgrade !== protocol)
			throw new RouseError('protocol', `upgrade to ${incoming.headers.upgrade}: only ${protocol} is known here`);
		const path = new URL(incoming.url ?? '/', 'http://local').pathname.split('/').filter(part => part !== '');
		const stream = await handle({ path: path.map(decodeURIComponent), signal: gone.signal });
		socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`);
		if (head.length > 0) stream.write(head);
		join(socket, stream);
	} catch (thrown) {
		const body = JSON.stringify({ error: asRouseError(thrown).toDocument() });
		socket.end(
			`HTTP/1.1 409 Conflict\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
		);
	}
}

/** Until one side ends. A caller that has said all has left; what the stream said last still reaches one that has not. */
function join(socket: Duplex, stream: Duplex): void {
	socket.pipe(stream);
	stream.pipe(socket);
	for (const end of ['end', 'close', 'error']) socket.once(end, () => stream.destroy());
	stream.once('close', () => socket.end());
	stream.once('error', () => socket.destroy());
}

export interface StreamOptions {
	protocol: string;
	/** Code of the error when nobody answers. */
	unreachable: ErrorCode;
	hint?: string;
	/** How long the answer may take; the stream has no limit. */
	timeoutMs: number;
	signal?: AbortSignal | undefined;
}

/** Opens a stream. An error the other side answered with is thrown as it was there; no answer is `unreachable`. */
export function openStream(socketPath: string, path: string, options: StreamOptions): Promise<Duplex> {
	const { protocol, unreachable, hint, timeoutMs, signal } = options;
	return new Promise((resolve, reject) => {
		const call = request({
			socketPath,
			path,
			headers: { connection: 'Upgrade', upgrade: protocol },
			agent: false,
			...(signal ? { signal } : {}),
		});
		const fail = (why: string, cause?: unknown) =>
			reject(
				signal?.aborted
					? signal.reason
					: new RouseError(unreachable, `GET ${path} on ${socketPath}: ${why}`, { cause, hint }),
			);
		call.setTimeout(timeoutMs, () => call.destroy(new Error(`no answer within ${timeoutMs} ms`)));
		call.once('error', cause => fail(cause.message, cause));
		call.once('upgrade', (_response, socket, head) => {
			socket.setTimeout(0);
			if (head.length > 0) socket.unshift(head);
			resolve(socket);
		});
		call.once('response', response => {
			const parts: Buffer[] = [];
			response.on('data', (part: Buffer) => parts.push(part));
			response.once('error', cause => fail(cause.message, cause));
			response.once('end', () => {
				const error = refusalOf(Buffer.concat(parts).toString('utf8'));
				if (error) reject(error);
				else fail(`answered with ${response.statusCode}, not with a stream`);
			});
		});
		call.end();
	});
}

function refusalOf(text: string): RouseError | undefined {
	try {
		return errorOf(JSON.parse(text));
	} catch {
		return undefined; // no answer of ours
	}
}
