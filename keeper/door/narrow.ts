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

/** Of what is under way in one connection: some dozens of steps, whose inputs and results are at most 2 MiB (limit.blobSize.error). */
const memoryMiB = 64;

/** https://github.com/grpc/grpc/blob/master/doc/statuscodes.md */
const permissionDenied = '7';

export interface Narrowed {
	/** The Unix socket that the calls lead to. */
	socket: string;
	/** Whether a call may be made, by its path. */
	allows: (path: string | undefined) => boolean;
	/** Once a connection: who has taken over a host could fill a log. */
	onRefused: (path: string | undefined) => void;
}

/** Hands on the calls of a caller (gRPC over HTTP/2) that are allowed, each as it is, until either side ends. */
export function narrow(caller: Duplex, { socket, allows, onRefused }: Narrowed): void {
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
	session.on('stream', (call, headers) => {
		call.on('error', () => {}); // its close says the same
		if (isOver(call)) return;
		const path = headers[':path'];
		if (allows(path)) return handOn(call, headers, callee);
		if (!refused) onRefused(path);
		refused = true;
		call.resume();
		call.respond(
			{
				':status': 200,
				'content-type': 'application/grpc',
				'grpc-status': permissionDenied,
				'grpc-message': 'no call of a host worker',
			},
			{ endStream: true },
		);
	});
}

/** RFC 9113, 8.1: headers, data and trailers; or, of a call that failed at once, headers that end the answer. */
function handOn(call: ServerHttp2Stream, headers: IncomingHttpHeaders, callee: ClientHttp2Session): void {
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
	call.pipe(onward);
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
