import { connect, createServer, type Server, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { listenOnSocket } from '../../system/unix-http.ts';

/** A way to a server on a Unix socket on which whatever is asked arrives late; answers are not held up. */
export class SlowWay {
	/** Connections that were made. */
	connections = 0;
	readonly #open = new Set<Socket>();
	readonly #server: Server;

	private constructor(toSocket: string, delayMs: number) {
		this.#server = createServer(caller => {
			this.connections += 1;
			const server = connect(toSocket);
			for (const socket of [caller, server]) {
				this.#open.add(socket);
				socket.on('error', () => {});
				socket.on('close', () => {
					this.#open.delete(socket);
					for (const other of [caller, server]) other.destroy();
				});
			}
			caller.on('data', (asked: Buffer) => void setTimeout(() => server.write(asked), delayMs));
			server.pipe(caller);
		});
	}

	static async to(
		t: Pick<TestContext, 'after'>,
		toSocket: string,
		{ at, delayMs }: { at: string; delayMs: number },
	): Promise<SlowWay> {
		const way = new SlowWay(toSocket, delayMs);
		await listenOnSocket(way.#server, at);
		t.after(() => way.close());
		return way;
	}

	close(): void {
		this.#server.close();
		for (const socket of this.#open) socket.destroy();
	}
}
