import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
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

/** A real SSH server whose sessions of the driver, and of the pipe `rouse-com1`, are connections that a test answers. */
export async function windowsSsh(
	t: Pick<TestContext, 'after'>,
	answers: { driver: (line: string, socket: Socket) => void; pipe?: (socket: Socket) => void },
): Promise<WindowsSsh> {
	const directory = await temporaryDirectory(t, path => stopSshServer(join(path, 'ssh')));
	const pipesDirectory = join(directory, 'pipes');
	await mkdir(pipesDirectory);
	const driverSocket = join(directory, 'driver.sock');
	await listen(t, driverSocket, socket => {
		createInterface({ input: socket }).on('line', line => answers.driver(line, socket));
	});
	if (answers.pipe) await listen(t, join(pipesDirectory, 'rouse-com1'), answers.pipe);
	const options = { directory: join(directory, 'ssh'), driverSocket, pipesDirectory };
	const server = await startSshServer(options);
	const restart = () => startSshServer({ ...options, port: server.destination.port });
	return { server, directory, restart };
}

async function listen(t: Pick<TestContext, 'after'>, path: string, take: (socket: Socket) => void): Promise<void> {
	const sockets = new Set<Socket>();
	const server = createServer(socket => {
		sockets.add(socket.on('error', () => undefined));
		take(socket);
	});
	server.listen(path);
	await once(server, 'listening');
	t.after(() => {
		for (const socket of sockets) socket.destroy();
		server.close();
	});
}
