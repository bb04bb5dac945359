import { mkdir, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { checkSocketPath } from '../../../system/socket-path.ts';

/** Where the host's named pipe `\\.\pipe\x` is, as a Unix socket. */
export function pipePlace(directory: string, pipe: string): string {
	return join(directory, 'pipes', pipe.slice(pipe.lastIndexOf('\\') + 1));
}

/** The first serial port of a machine that runs: whoever opens its pipe is greeted, and hears what he says. */
export class SerialConsole {
	readonly #path: string;
	readonly #server: Server;
	readonly #clients = new Set<Socket>();

	private constructor(path: string, greeting: string) {
		this.#path = path;
		this.#server = createServer(client => {
			this.#clients.add(client);
			client.once('close', () => this.#clients.delete(client));
			client.on('error', () => undefined); // followed by close
			client.write(greeting);
			client.pipe(client);
		});
	}

	static async open(path: string, greeting: string): Promise<SerialConsole> {
		checkSocketPath(path);
		await mkdir(dirname(path), { recursive: true });
		await rm(path, { force: true });
		const console = new SerialConsole(path, greeting);
		await new Promise<void>((resolve, reject) => {
			console.#server.once('error', reject);
			console.#server.listen(path, resolve);
		});
		return console;
	}

	async close(): Promise<void> {
		for (const client of this.#clients) client.destroy();
		await new Promise(resolve => this.#server.close(resolve));
		await rm(this.#path, { force: true });
	}
}
