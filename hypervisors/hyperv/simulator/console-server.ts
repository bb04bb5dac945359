import { rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import * as z from 'zod';
import { checkSocketPath } from '../../../system/socket-path.ts';
import { pipePlace } from './serial-console.ts';

const requestSchema = z.object({ pipe: z.string() });
const longestLineBytes = 4096;

/** ERROR_FILE_NOT_FOUND: no such pipe, as the machine does not run. */
const noPipe = { ok: false, hresult: '0x80070002' };

/**
 * The other side of console.ps1 over a Unix socket: a line that names a pipe, a line of answer, then the pipe's bytes in both
 * directions. Resolves when it listens.
 */
export async function serveConsoles(socketPath: string, directory: string): Promise<Server> {
	checkSocketPath(socketPath);
	await rm(socketPath, { force: true });
	const server = createServer(client => {
		client.on('error', () => undefined); // followed by close
		let asked = Buffer.alloc(0);
		const take = (bytes: Buffer) => {
			asked = Buffer.concat([asked, bytes]);
			const end = asked.indexOf('\n');
			if (end === -1 && asked.length <= longestLineBytes) return;
			client.off('data', take);
			client.pause();
			client.unshift(asked.subarray(end + 1));
			open(client, directory, asked.toString('utf8', 0, end));
		};
		client.on('data', take);
	});
	await new Promise<void>((resolve, reject) => {
		server.once('error', reject);
		server.listen(socketPath, resolve);
	});
	return server;
}

function open(client: Socket, directory: string, line: string): void {
	const { pipe } = requestSchema.parse(JSON.parse(line));
	const port = connect(pipePlace(directory, pipe));
	port.once('error', () => client.end(`${JSON.stringify(noPipe)}\n`));
	port.once('connect', () => {
		client.write(`${JSON.stringify({ ok: true })}\n`);
		client.pipe(port);
		port.pipe(client);
		client.once('close', () => port.destroy());
	});
}
