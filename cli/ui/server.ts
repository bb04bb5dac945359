import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { createServer, request } from '../../system/node-http.ts';
import { Admission, withoutOurCookie } from './admission.ts';

export interface UiOptions {
	/** Of the forwarder. */
	socket: string;
	/** 0: a free one. */
	port: number;
	start: string;
	write: boolean;
}

const address = '127.0.0.1';

/** Serves Temporal's web interface on loopback, to one browser. Resolves once it listens. */
export async function serveUi({
	socket,
	port: wanted,
	start,
	write,
}: UiOptions): Promise<{ port: number; token: string; close: () => Promise<void> }> {
	let admission: Admission | undefined;
	const server = createServer((incoming, response) => {
		answer(incoming, response, admission, socket).catch(() => response.destroy());
	});
	server.listen(wanted, address);
	await once(server, 'listening');
	const bound = server.address();
	const port = typeof bound === 'object' && bound !== null ? bound.port : wanted;
	admission = new Admission({ port, start, write });
	const close = async () => {
		server.close();
		server.closeAllConnections();
		await once(server, 'close');
	};
	return { port, token: admission.token, close };
}

async function answer(
	incoming: IncomingMessage,
	response: ServerResponse,
	admission: Admission | undefined,
	socket: string,
): Promise<void> {
	const { method = 'GET', url = '/', headers } = incoming;
	const decision = admission?.decide({ method, url, headers });
	if (decision?.kind === 'pass') return passOn(incoming, response, socket);
	if (decision?.kind === 'enter')
		response.writeHead(303, {
			Location: decision.location,
			'Set-Cookie': decision.cookie,
			'Referrer-Policy': 'no-referrer',
		});
	else response.writeHead(decision?.status ?? 503, { 'Content-Type': 'text/plain' });
	response.end(decision?.kind === 'refuse' ? `${decision.reason}\n` : '');
}

/** A page from elsewhere must not lay ours under its own buttons. */
const notInFrames = { 'x-frame-options': 'DENY', 'referrer-policy': 'no-referrer' };

/** What a browser is told when the server behind is away; it asks again by itself. */
async function passOn(incoming: IncomingMessage, response: ServerResponse, socket: string): Promise<void> {
	const { method, url, headers } = incoming;
	try {
		const onward = request({ socketPath: socket, method, path: url, headers: withoutOurCookie(headers) });
		response.once('close', () => onward.destroy());
		const [answered] = await Promise.all([answerTo(onward), pipeline(incoming, onward)]);
		response.writeHead(answered.statusCode ?? 502, { ...answered.headers, ...notInFrames });
		await pipeline(answered, response);
	} catch {
		if (response.headersSent) response.destroy();
		else response.writeHead(502, { 'Content-Type': 'text/plain' }).end('Temporal does not answer: rouse up\n');
	}
}

async function answerTo(onward: ReturnType<typeof request>): Promise<IncomingMessage> {
	const [answered] = await once(onward, 'response');
	return answered;
}
