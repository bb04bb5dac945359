import { createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { rm } from 'node:fs/promises';
import { checkSocketPath } from '../../../system/socket-path.ts';

/** The answer to one document, or nothing: the connection is then cut. */
export type AnswerLine = (document: unknown) => Promise<object | undefined>;

/**
 * JSON documents, a line each, over a Unix socket: of one connection one at a time and in their order. What is under way when
 * a connection goes is done all the same. Resolves when it listens.
 */
export async function serveLines(socketPath: string, answer: AnswerLine): Promise<Server> {
	checkSocketPath(socketPath);
	await rm(socketPath, { force: true });
	const server = createServer(socket => void serve(socket, answer));
	await new Promise<void>((resolve, reject) => {
		server.once('error', reject);
		server.listen(socketPath, resolve);
	});
	return server;
}

async function serve(socket: Socket, answer: AnswerLine): Promise<void> {
	socket.on('error', () => undefined); // followed by close
	try {
		for await (const line of createInterface({ input: socket })) {
			if (line === '') continue;
			const said = await answer(JSON.parse(line));
			if (said === undefined) socket.destroy();
			if (socket.destroyed) return;
			socket.write(`${ascii(JSON.stringify(said))}\n`);
		}
		socket.end();
	} catch (error) {
		console.error(error);
		socket.destroy();
	}
}

/** Whatever code page is between: wire.ts. */
function ascii(text: string): string {
	return text.replaceAll(/[^\0-\x7f]/g, one => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
