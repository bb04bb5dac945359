import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { type SshServer, startSshServer, stopSshServer } from '../../hypervisors/hyperv/simulator/ssh/server.ts';
import { temporaryDirectory } from './captive.ts';

export interface WindowsSsh {
	server: SshServer;
	directory: string;
	/** As it was started: the same host again. */
	restart: () => Promise<SshServer>;
}

/** A real SSH server whose sessions of the driver, and of consoles, are connections that a test answers. */
export async function windowsSsh(
	t: Pick<TestContext, 'after'>,
	answers: { driver: (line: string, socket: Socket) => void; console?: (line: string, socket: Socket) => void },
): Promise<WindowsSsh> {
	const directory = await temporaryDirectory(t, path => stopSshServer(join(path, 'ssh')));
	const driverSocket = await listenLines(t, join(directory, 'driver.sock'), answers.driver);
	const consoleSocket = await listenLines(t, join(directory, 'console.sock'), answers.console ?? (() => undefined));
	const options = { directory: join(directory, 'ssh'), driverSocket, consoleSocket, root: join(directory, 'drives') };
	let server = await startSshServer(options);
	const restart = async () => {
		server = await startSshServer({ ...options, port: server.destination.port });
		return server;
	};
	return { server, directory, restart };
}

async function listenLines(
	t: Pick<TestContext, 'after'>,
	path: string,
	answer: (line: string, socket: Socket) => void,
): Promise<string> {
	const sockets = new Set<Socket>();
	const server = createServer(socket => {
		sockets.add(socket.on('error', () => undefined));
		createInterface({ input: socket }).on('line', line => answer(line, socket));
	});
	server.listen(path);
	await once(server, 'listening');
	t.after(() => {
		for (const socket of sockets) socket.destroy();
		server.close();
	});
	return path;
}
