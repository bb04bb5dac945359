import { rm } from 'node:fs/promises';
import type { ClientRequest, IncomingMessage, RequestOptions, Server, ServerResponse } from 'node:http';
import type { Server as NetServer } from 'node:net';
import { asRouseError, type ErrorCode, isErrorCode, RouseError } from '../model/errors.ts';
import { isErrno } from './durable-file.ts';
import { createServer, request } from './node-http.ts';
import { readBody } from './request-body.ts';
import { checkSocketPath } from './socket-path.ts';

/**
 * JSON over HTTP over a Unix socket: how commands, activities, the supervisor and the movers talk on one host. A person
 * can say the same with `curl --unix-socket`.
 */
export type JsonHandler = (call: JsonCall) => Promise<unknown>;

export interface JsonCall {
	method: string;
	/** Path without the query, split at "/" and decoded. */
	path: readonly string[];
	query: URLSearchParams;
	body: unknown;
	/** Aborted when the caller has gone. */
	signal: AbortSignal;
}

/** Larger bodies are refused: nothing that is said here comes near it. */
const maxBodyBytes = 4 * 1024 * 1024;

/**
 * Serves `handle` on a socket that only this user may open. The caller holds the lock of whatever the socket belongs to,
 * so a socket file found there is a dead process's and is removed.
 */
export async function serveJson(socketPath: string, handle: JsonHandler): Promise<Server> {
	const server = createServer((incoming, outgoing) => {
		void answerJson(incoming, outgoing, handle);
	});
	await listenOnSocket(server, socketPath);
	return server;
}

export async function listenOnSocket(server: NetServer, socketPath: string): Promise<void> {
	checkSocketPath(socketPath);
	await rm(socketPath, { force: true });
	await new Promise<void>((resolve, reject) => {
		const refuse = (cause: Error) =>
			reject(
				new RouseError('io_failed', `cannot listen on ${socketPath}: ${listenText(cause)}`, {
					cause,
					hint: `its directory must exist, and user ${process.geteuid?.()} must be able to write it`,
				}),
			);
		server.once('error', refuse);
		// Made with its mode, within the call: by its name it could be something else by then, where another user may write.
		// The mask is the whole process's: what the thread pool makes meanwhile keeps the bits that its owner needs.
		const usual = process.umask(0o077);
		try {
			server.listen(socketPath, () => {
				server.off('error', refuse);
				resolve();
			});
		} finally {
			process.umask(usual);
		}
	});
}

/** A directory that is not there is EACCES as well: uv_pipe_bind of libuv. */
function listenText(cause: Error): string {
	return isErrno(cause, 'ENOENT') || isErrno(cause, 'EACCES')
		? 'its directory is not there, or may not be written'
		: cause.message;
}

/** Answers one request of whatever server it came to. */
export async function answerJson(
	incoming: IncomingMessage,
	outgoing: ServerResponse,
	handle: JsonHandler,
): Promise<void> {
	const gone = new AbortController();
	outgoing.once('close', () => gone.abort());
	let status = 200;
	let document: unknown;
	try {
		const url = new URL(incoming.url ?? '/', 'http://local');
		document = await handle({
			method: incoming.method ?? 'GET',
			path: url.pathname
				.split('/')
				.filter(part => part !== '')
				.map(decodeURIComponent),
			query: url.searchParams,
			body: await readJson(incoming),
			signal: gone.signal,
		});
	} catch (thrown) {
		const error = asRouseError(thrown);
		status = error.code === 'internal' ? 500 : 409;
		document = { error: error.toDocument() };
	}
	if (outgoing.destroyed) return;
	outgoing.writeHead(status, { 'content-type': 'application/json' });
	outgoing.end(JSON.stringify(document ?? {}));
}

async function readJson(incoming: IncomingMessage): Promise<unknown> {
	const body = await readBody(incoming, maxBodyBytes);
	return body.length === 0 ? undefined : parseJson(body.toString('utf8'), 'request body');
}

export interface CallOptions {
	/** Code of the error when nobody answers. */
	unreachable: ErrorCode;
	timeoutMs?: number;
	signal?: AbortSignal | undefined;
}

function who(unreachable: ErrorCode): string {
	if (unreachable === 'supervisor_unreachable') return 'the supervisor';
	return unreachable === 'mover_unreachable' ? 'a mover' : 'the other side';
}

/** Whom a call is made to that is not on a socket of this host. */
export interface JsonPeer {
	/** For people. */
	at: string;
	request: (options: RequestOptions) => ClientRequest;
}

function onSocket(socketPath: string): JsonPeer {
	return { at: socketPath, request: options => request({ ...options, socketPath }) };
}

/** One call. An error the other side answered with is thrown as it was there; no answer is `unreachable`. */
export async function callJson(
	to: string | JsonPeer,
	method: string,
	path: string,
	body: unknown,
	options: CallOptions,
): Promise<unknown> {
	const { unreachable, timeoutMs = 10_000, signal } = options;
	const peer = typeof to === 'string' ? onSocket(to) : to;
	const limit = AbortSignal.timeout(timeoutMs);
	const ended = signal ? AbortSignal.any([signal, limit]) : limit;
	let text: string;
	try {
		text = await exchange(peer, method, path, body, ended);
	} catch (cause) {
		signal?.throwIfAborted();
		const why = limit.aborted
			? `it has not answered within ${timeoutMs / 1000} s`
			: isErrno(cause, 'ENOENT') || isErrno(cause, 'ECONNREFUSED')
				? 'nobody listens'
				: cause instanceof Error
					? cause.message
					: String(cause);
		throw new RouseError(unreachable, `${who(unreachable)} does not answer on ${peer.at}: ${why} (${method} ${path})`, {
			cause,
		});
	}
	const document = parseJson(text, `the answer to ${method} ${path} on ${peer.at}`);
	const error = errorOf(document);
	if (error) throw error;
	return document;
}

function parseJson(text: string, what: string): unknown {
	try {
		return JSON.parse(text);
	} catch (cause) {
		throw new RouseError('protocol', `${what} is not JSON`, { cause });
	}
}

function exchange(peer: JsonPeer, method: string, path: string, body: unknown, signal: AbortSignal): Promise<string> {
	const sent = body === undefined ? undefined : JSON.stringify(body);
	return new Promise((resolve, reject) => {
		const call = peer.request({
			method,
			path,
			signal,
			headers: {
				'content-type': 'application/json',
				// Said here, since Node says it for no DELETE, whose body the other side would take for a second request.
				...(sent === undefined ? {} : { 'content-length': Buffer.byteLength(sent) }),
			},
			agent: false,
		});
		call.once('error', reject);
		call.once('response', response => {
			const parts: Buffer[] = [];
			response.on('data', (part: Buffer) => parts.push(part));
			response.once('error', reject);
			response.once('aborted', () => reject(new Error('the other side went away in the middle of its answer')));
			response.once('end', () => resolve(Buffer.concat(parts).toString('utf8')));
		});
		call.end(sent);
	});
}

/** The error that an answer carries, as it was on the other side. */
export function errorOf(document: unknown): RouseError | undefined {
	if (typeof document !== 'object' || document === null || !('error' in document)) return undefined;
	const { error } = document;
	if (typeof error !== 'object' || error === null || !('code' in error) || !('message' in error)) return undefined;
	const hint = 'hint' in error && typeof error.hint === 'string' ? error.hint : undefined;
	const code = isErrorCode(error.code) ? error.code : 'internal';
	return new RouseError(code, String(error.message), { hint, details: detailsOf(error) });
}

function detailsOf(error: object): Record<string, string | number | boolean> | undefined {
	if (!('details' in error) || typeof error.details !== 'object' || error.details === null) return undefined;
	const details: Record<string, string | number | boolean> = {};
	for (const [key, value] of Object.entries(error.details))
		if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') details[key] = value;
	return details;
}
