import type { Socket } from 'node:net';
import { asRouseError, RouseError } from '../../model/errors.ts';
import { aliveFrame, encodeErrorFrame, RangeHeads } from './protocol/answers.ts';
import { encodeServerHello } from './protocol/hello.ts';
import { type ChunkRequest, mostRequestBytes, RequestReader } from './protocol/requests.ts';
import type { Admission, Visitor } from './requests.ts';

/** Who was refused is to hear why, and then to go. */
const refusedMs = 5_000;

export interface ConnectionOptions {
	admit: Admission;
	/** Without a request under way. */
	idleMs: number;
	/** While nothing moves on it, with one; absent: without an end. */
	unmovedMs?: number;
}

/** What a request is answered with. */
export interface Asked {
	request: ChunkRequest;
	visitor: Visitor;
	/** Aborted when nobody is left to be answered. */
	signal: AbortSignal;
	/** The chunks `from` to `to` of these, whose bytes are `bytes` and may be used again when it resolves. Rejects when nobody is left. */
	send(this: void, lengths: readonly number[], from: number, to: number, bytes: Buffer): Promise<void>;
}

/** The mover's end of a connection: one request after the other goes to `answer`, and what that throws to who asked. */
export class ChunkConnection {
	readonly #socket: Socket;
	readonly #options: ConnectionOptions;
	readonly #answer: (asked: Asked) => Promise<void>;
	readonly #reader = new RequestReader();
	readonly #heads = new RangeHeads();
	readonly #gone = new AbortController();
	#visitor: Visitor | undefined;
	#isAnswering = false;
	/** Something has come since the peer was told last that the mover is there. */
	#hasHeard = false;
	/** Chunks of the answer that were not sent. */
	#unsent = 0;

	constructor(socket: Socket, options: ConnectionOptions, answer: (asked: Asked) => Promise<void>) {
		this.#socket = socket;
		this.#options = options;
		this.#answer = answer;
		const end = () => this.#end();
		socket.on('error', end).on('end', end).on('close', end).on('timeout', end);
		socket.setTimeout(options.idleMs);
		socket.on('data', part => this.#heard(part));
	}

	get signal(): AbortSignal {
		return this.#gone.signal;
	}

	/** Says that the mover is there, to who waits. */
	sayAlive(): void {
		// On a slow line a request takes longer to come than a silence may last.
		const isAsked = this.#hasHeard && this.#visitor !== undefined && this.#reader.length > 0;
		this.#hasHeard = false;
		// What is still to be sent says it as well, and a peer that takes nothing needs no more of it. Frames are written
		// whole, so that it never comes within one.
		if ((this.#isAnswering || isAsked) && this.#socket.writableLength === 0) this.#socket.write(aliveFrame);
	}

	#heard(part: Buffer): void {
		if (this.signal.aborted) return;
		this.#hasHeard = true;
		this.#reader.push(part);
		if (!this.#isAnswering) void this.#answerAll();
		else if (this.#reader.length > mostRequestBytes)
			this.#refuse(new RouseError('protocol', 'more is asked for than the next request while one is answered'));
	}

	async #answerAll(): Promise<void> {
		this.#isAnswering = true;
		try {
			const visitor = this.#visitor ?? this.#greet();
			if (visitor === undefined) return;
			for (let next = this.#reader.request(); next !== undefined; next = this.#reader.request()) {
				this.#socket.setTimeout(this.#options.unmovedMs ?? 0);
				await this.#answerOne(next, visitor);
				if (this.signal.aborted) return;
				this.#socket.setTimeout(this.#options.idleMs);
			}
		} catch (error) {
			this.#refuse(error);
		} finally {
			this.#isAnswering = false;
		}
	}

	#greet(): Visitor | undefined {
		const hello = this.#reader.hello();
		if (hello === undefined) return undefined;
		this.#visitor = this.#options.admit(hello);
		this.#socket.write(encodeServerHello());
		return this.#visitor;
	}

	async #answerOne(request: ChunkRequest, visitor: Visitor): Promise<void> {
		this.#unsent = request.count;
		try {
			await this.#answer({ request, visitor, signal: this.signal, send: this.#send });
		} catch (error) {
			// To who has all chunks an error would come in the next answer.
			if (!this.signal.aborted && this.#unsent > 0)
				this.#socket.write(encodeErrorFrame(asRouseError(error).toDocument()));
		}
	}

	readonly #send: Asked['send'] = (lengths, from, to, bytes) => {
		this.#unsent -= to - from;
		const { promise, resolve, reject } = Promise.withResolvers<void>();
		this.#socket.cork();
		this.#socket.write(this.#heads.encode(lengths, from, to));
		this.#socket.write(bytes, error => (error ? reject(error) : resolve()));
		this.#socket.uncork();
		return promise;
	};

	/** Who was refused says what it likes and is not heard. */
	#refuse(thrown: unknown): void {
		const frame = encodeErrorFrame(asRouseError(thrown).toDocument(), 'refusal');
		this.#gone.abort();
		this.#socket.end(this.#visitor ? frame : Buffer.concat([encodeServerHello(), frame]));
		setTimeout(() => this.#end(), refusedMs).unref();
	}

	#end(): void {
		this.#gone.abort();
		this.#socket.destroy();
	}
}
