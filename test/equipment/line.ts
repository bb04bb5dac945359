/** A line to a TCP server in user space: long, thin, or dead without a word. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

export interface LineOptions {
	/** Each way. */
	delayMs?: number;
	/** Of all connections together, each way. */
	bytesPerSecond?: number;
}

const pieceBytes = 1400;

export class Line {
	port = 0;
	/** Since it was laid. */
	connections = 0;
	bytesDown = 0;
	readonly #to: { host: string; port: number };
	readonly #options: LineOptions;
	readonly #open = new Set<Socket>();
	/** Connections of which nothing comes out any more, though nobody hears of an end. */
	readonly #dead = new Set<Socket>();
	#freeAt = { up: 0, down: 0 };
	#isCut = false;

	private constructor(to: { host: string; port: number }, options: LineOptions) {
		this.#to = to;
		this.#options = options;
	}

	static async to(
		t: Pick<TestContext, 'after'>,
		port: number,
		{ host = '127.0.0.1', ...options }: LineOptions & { host?: string } = {},
	): Promise<Line> {
		const line = new Line({ host, port }, options);
		const server = createServer({ allowHalfOpen: true }, caller => line.#take(caller));
		server.listen(0, '127.0.0.1');
		await once(server, 'listening');
		const address = server.address();
		line.port = typeof address === 'object' && address !== null ? address.port : 0;
		t.after(() => {
			server.close();
			for (const socket of line.#open) socket.destroy();
		});
		return line;
	}

	/** What is open now stays so and says nothing more; what is opened from now on is well. */
	freeze(): void {
		for (const socket of this.#open) this.#dead.add(socket);
	}

	/** What is open now ends, and nobody gets through until it is mended. */
	cut(): void {
		this.#isCut = true;
		for (const socket of this.#open) socket.destroy();
	}

	mend(): void {
		this.#isCut = false;
	}

	#take(caller: Socket): void {
		if (this.#isCut) {
			caller.destroy();
			return;
		}
		this.connections += 1;
		const server = connect({ ...this.#to, allowHalfOpen: true });
		void this.#carry(caller, server, 'up');
		void this.#carry(server, caller, 'down');
	}

	async #carry(from: Socket, to: Socket, way: 'up' | 'down'): Promise<void> {
		this.#open.add(from);
		from.on('error', () => {});
		const deliver = (piece: Buffer) => {
			if (this.#dead.has(from)) return;
			if (way === 'down') this.bytesDown += piece.length;
			to.write(piece);
		};
		const { delayMs = 0 } = this.#options;
		try {
			// In pieces: of a large one everybody else would have to wait for the end.
			for await (const part of from)
				for (let at = 0; at < part.length; at += pieceBytes) {
					const piece = part.subarray(at, at + pieceBytes);
					await this.#turn(piece.length, way);
					if (to.writableNeedDrain && !this.#dead.has(from)) await once(to, 'drain');
					if (delayMs === 0) deliver(piece);
					else setTimeout(deliver, delayMs, piece);
				}
			await delay(delayMs);
			if (!this.#dead.has(from)) to.end();
		} catch {
			if (!this.#dead.has(from)) to.destroy();
		}
	}

	/** When the bytes before these have left. */
	async #turn(bytes: number, way: 'up' | 'down'): Promise<void> {
		const { bytesPerSecond } = this.#options;
		if (bytesPerSecond === undefined) return;
		const now = performance.now();
		this.#freeAt[way] = Math.max(now, this.#freeAt[way]) + (bytes / bytesPerSecond) * 1000;
		const waitMs = this.#freeAt[way] - now;
		// A timer is late by a millisecond or so: a thick line would become a thin one.
		if (waitMs > 5) await delay(waitMs);
	}
}
