import type { Socket } from 'node:net';
import type { NbdExports } from './export.ts';
import { NbdServerSession } from './session.ts';

/** Replies that the client has not taken yet; above it no request is read from this connection. */
const unsentLimitBytes = 1024 * 1024;
/** Above it no piece of a large read is read. Not under what a socket takes before it tells when it is drained (64 KiB). */
const unsentPiecesBytes = 128 * 1024;
/** Replied at one go; then other connections have their turn. */
const turnBytes = 1024 * 1024;

/** One client: joins a socket and a session. All small replies to what one read brings leave in one write. */
export class NbdConnection {
	readonly #socket: Socket;
	readonly #session: NbdServerSession;
	#busy = false;
	#scheduled = false;
	#turnComes = false;

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
		if (this.#unsent() === 0) session.replies.recycle();
		// What was held back waits on while the client does not take what it has asked for.
		if (bytes !== undefined || this.#unsent() < unsentLimitBytes) session.push(bytes);
		let left = turnBytes - this.#write();
		// Replies that left at once make room: go on with requests that were held back for it, and with large reads.
		while (left > 0 && this.#goOn()) left -= this.#write();
		this.#busy = false;
		if (left <= 0 && (session.holdsInput || session.hasPieces)) this.#nextTurn();
		if (session.over)
			this.#socket.destroySoon(); // after what is still to be written
		else if (session.full || this.#unsent() >= unsentLimitBytes) this.#socket.pause();
		else if (this.#socket.isPaused()) this.#socket.resume();
	}

	/** False when the session has nothing to reply for which there is room. */
	#goOn(): boolean {
		const session = this.#session;
		if (session.over || this.#unsent() >= unsentLimitBytes) return false;
		if (session.holdsInput) session.push();
		if (session.hasPieces && this.#unsent() < unsentPiecesBytes) session.nextPiece();
		return session.replies.byteLength > 0;
	}

	#nextTurn(): void {
		if (this.#turnComes) return;
		this.#turnComes = true;
		setImmediate(() => {
			this.#turnComes = false;
			this.#pump();
		});
	}

	/** Returns how many bytes that were. */
	#write(): number {
		const { byteLength } = this.#session.replies;
		const parts = this.#session.replies.take();
		const last = parts.pop();
		const frees = this.#session.replies.takeFrees();
		// What a client that is gone did not get is left to the garbage collector.
		const written = (error?: Error | null) => {
			if (!error) for (const free of frees) free();
		};
		const socket = this.#socket;
		if (last && parts.length === 0) socket.write(last, written);
		else if (last) {
			socket.cork();
			for (const part of parts) socket.write(part);
			socket.write(last, written);
			socket.uncork(); // one writev
		}
		// Nothing unsent means that every write has called back, so nobody reads the slabs any more.
		if (this.#unsent() === 0) this.#session.replies.recycle();
		return byteLength;
	}

	#unsent(): number {
		return this.#socket.writableLength;
	}
}
