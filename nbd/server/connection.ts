import type { Socket } from 'node:net';
import type { NbdExports } from './export.ts';
import { NbdServerSession } from './session.ts';

/** Replies that the client has not taken yet; above it no request is read from this connection. */
const unsentLimitBytes = 1024 * 1024;

/** One client: joins a socket and a session. All replies to what one read brings leave in one write. */
export class NbdConnection {
	readonly #socket: Socket;
	readonly #session: NbdServerSession;
	#busy = false;
	#scheduled = false;

	constructor(socket: Socket, exports: NbdExports) {
		this.#socket = socket;
		this.#session = new NbdServerSession(exports, () => this.#replyReady());
		socket.on('data', bytes => this.#pump(bytes));
		socket.on('drain', () => this.#pump());
		socket.on('error', () => socket.destroy()); // a client that went away; 'close' follows
		socket.once('close', () => this.#session.close());
		this.#pump();
	}

	destroy(): void {
		this.#session.close();
		this.#socket.destroy();
	}

	/** A reply that was waited for. Several that come together, as those of one chunk do, leave together. */
	#replyReady(): void {
		if (this.#busy || this.#scheduled) return;
		this.#scheduled = true;
		queueMicrotask(() => {
			this.#scheduled = false;
			this.#pump();
		});
	}

	#pump(bytes?: Buffer): void {
		const session = this.#session;
		if (this.#socket.destroyed) return;
		this.#busy = true;
		session.push(bytes);
		this.#write();
		// Replies that left at once make room: go on with requests that were held back for it.
		while (session.holdsInput && !session.over && this.#unsent() < unsentLimitBytes) {
			session.push();
			if (session.replies.byteLength === 0) break;
			this.#write();
		}
		this.#busy = false;
		if (session.over)
			this.#socket.destroySoon(); // after what is still to be written
		else if (session.full || this.#unsent() >= unsentLimitBytes) this.#socket.pause();
		else if (this.#socket.isPaused()) this.#socket.resume();
	}

	#write(): void {
		const parts = this.#session.replies.take();
		const socket = this.#socket;
		if (parts.length === 1 && parts[0]) socket.write(parts[0]);
		else if (parts.length > 1) {
			socket.cork();
			for (const part of parts) socket.write(part);
			socket.uncork(); // one writev
		}
		// Nothing unsent means that every write has called back, so nobody reads the slab any more.
		if (this.#unsent() === 0) this.#session.replies.recycle();
	}

	#unsent(): number {
		return this.#socket.writableLength;
	}
}
