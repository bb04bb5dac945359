import {
	connect as connectHttp2,
	constants,
	type IncomingHttpHeaders,
	performServerHandshake,
	type ClientHttp2Session,
	type ClientHttp2Stream,
	type ServerHttp2Stream,
} from 'node:http2';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { mostPollBytes } from './polled-queues.ts';

/** Of what is under way in one connection: some dozens of steps, whose inputs and results are at most 2 MiB (limit.blobSize.error). */
const memoryMiB = 64;

/** https://github.com/grpc/grpc/blob/master/doc/statuscodes.md */
const permissionDenied = '7';

export interface Narrowed {
	/** The Unix socket that the calls lead to. */
	socket: string;
	/** By a call's path; a function, which does not throw, is asked of its message, framed as gRPC does. */
	objection: (path: string | undefined) => Objection | AsksMessage;
	/** Once a connection: who has taken over a host could fill a log. */
	onRefused: (path: string | undefined, why: string) => void;
}

/** Why a call may not be made, for its caller; undefined: it may. */
export type Objection = string | undefined;
export type AsksMessage = (message: Buffer) => Promise<Objection>;

/** Hands on the calls of a caller (gRPC over HTTP/2) to which nothing is objected, each as it is, until either side ends. */
export function narrow(caller: Duplex, { socket, objection, onRefused }: Narrowed): void {
	const settings = { maxSessionMemory: memoryMiB };
	const callee = connectHttp2('http://temporal', { ...settings, createConnection: () => connect(socket) });
	const session = performServerHandshake(caller, settings);
	for (const [one, other] of [
		[session, callee],
		[callee, session],
	] as const) {
		one.on('error', () => other.destroy()); // it has been cut; who called sees that, and calls again
		one.once('close', () => other.destroy());
	}
	// Temporal's frontend does so every five minutes (frontend.keepAliveMaxConnectionAge): what is under way goes on, and the
	// caller makes its next calls on another connection.
	callee.once('goaway', () => session.close());
	let refused = false;
	const refuse = (call: ServerHttp2Stream, path: string | undefined, why: string) => {
		if (!refused) onRefused(path, why);
		refused = true;
		answerNo(call, why);
	};
	const decide = (call: ServerHttp2Stream, headers: IncomingHttpHeaders, why: Objection, read?: Buffer) => {
		if (isOver(call)) return;
		if (why === undefined) handOn(call, headers, callee, read);
		else refuse(call, headers[':path'], why);
	};
	const look = async (call: ServerHttp2Stream, headers: IncomingHttpHeaders, ask: AsksMessage) => {
		const message = await messageOf(call);
		decide(call, headers, message === undefined ? 'its message is too large' : await ask(message), message);
	};
	session.on('stream', (call, headers) => {
		call.on('error', () => {}); // its close says the same
		const why = objection(headers[':path']);
		if (typeof why === 'function') void look(call, headers, why);
		else decide(call, headers, why);
	});
}

function answerNo(call: ServerHttp2Stream, why: string): void {
	call.resume();
	const no = { 'grpc-status': permissionDenied, 'grpc-message': why };
	call.respond({ ':status': 200, 'content-type': 'application/grpc', ...no }, { endStream: true });
}

/** Undefined for one that is larger than any that is looked at. Of a call that breaks off whatever has come. */
async function messageOf(call: ServerHttp2Stream): Promise<Buffer | undefined> {
	const { promise, resolve } = Promise.withResolvers<Buffer | undefined>();
	const parts: Buffer[] = [];
	let sizeBytes = 0;
	const take = (part: Buffer) => {
		sizeBytes += part.length;
		parts.push(part);
		if (sizeBytes > mostPollBytes) resolve(undefined);
	};
	const end = () => resolve(Buffer.concat(parts));
	call.on('data', take).once('end', end).once('close', end);
	try {
		return await promise;
	} finally {
		call.off('data', take);
	}
}

/**
 * RFC 9113, 8.1: headers, data and trailers; or, of a call that failed at once, headers that end the answer. `read`: all that the
 * caller has sent, where that was read already.
 */
function handOn(
	call: ServerHttp2Stream,
	headers: IncomingHttpHeaders,
	callee: ClientHttp2Session,
	read: Buffer | undefined,
): void {
	const onward = begin(headers, callee);
	if (onward === undefined) return call.close(constants.NGHTTP2_REFUSED_STREAM); // made again by its caller (RFC 9113, 8.7)
	onward.on('error', () => {}); // its close says the same
	const trailers = Promise.withResolvers<IncomingHttpHeaders>();
	onward.once('trailers', trailers.resolve);
	onward.once('response', (answer, flags) => {
		if (isOver(call)) return;
		const ends = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
		call.respond(answer, { endStream: ends, waitForTrailers: !ends });
		if (ends) return;
		// An answer without trailers is taken by its caller for one that was cut.
		call.once('wantTrailers', () => void trailers.promise.then(said => isOver(call) || call.sendTrailers(said)));
		onward.pipe(call);
	});
	if (read === undefined) call.pipe(onward);
	else onward.end(read);
	call.once('close', () => onward.close(constants.NGHTTP2_CANCEL));
	onward.once('close', () => {
		if (onward.rstCode !== constants.NGHTTP2_NO_ERROR) call.close(onward.rstCode);
	});
}

/** Undefined where the other side takes no more calls, or this one has headers that nobody may say. */
function begin(headers: IncomingHttpHeaders, callee: ClientHttp2Session): ClientHttp2Stream | undefined {
	try {
		return callee.request({ ...headers, ':scheme': 'http' });
	} catch {
		return undefined; // Node throws for both
	}
}

function isOver(call: ServerHttp2Stream): boolean {
	return call.closed || call.destroyed;
}
