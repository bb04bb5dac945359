import type { Socket } from 'node:net';
import { RouseError } from '../../model/errors.ts';
import type { Inlet, MoverConnections, Opened } from './connections.ts';
import { AnswerReader, type Run } from './protocol/answer-reader.ts';
import { encodeClientHello } from './protocol/hello.ts';
import { keepAliveMs } from './protocol/wire.ts';
import { unlessSilent } from './silence.ts';

/** Before the mover does, so that no request meets the end of its connection. */
const idleMs = keepAliveMs - 20_000;

interface Events {
	/** Other connections of the same age are as dead as this one. */
	silence(): void;
	/** It is of no use any more; may be told several times. */
	ended(connection: MoverConnection): void;
}

/** One connection to a repository mover, for one request at a time. */
export class MoverConnection implements Inlet {
	readonly #way: MoverConnections;
	readonly #events: Events;
	readonly #reader = new AnswerReader();
	#opened: Opened | undefined;
	#isGreeted = false;
	#isIdle = false;
	#isPaused = false;
	#ended: Error | undefined;
	#wake: (() => void) | undefined;

	private constructor(way: MoverConnections, events: Events) {
		this.#way = way;
		this.#events = events;
	}

	static async open(way: MoverConnections, events: Events): Promise<MoverConnection> {
		const connection = new MoverConnection(way, events);
		try {
			connection.#opened = await way.open(connection);
		} catch (error) {
			throw error instanceof RouseError ? error : connection.#unreachable(error);
		}
		const { socket } = connection.#opened;
		socket.on('error', error => connection.destroy(error));
		socket.once('close', () => connection.destroy(new Error('the other side closed the connection')));
		socket.on('timeout', () => connection.destroy(new Error('it was idle')));
		if (socket.destroyed) connection.destroy(socket.errored ?? new Error('it could not be opened'));
		return connection;
	}

	get room(): Buffer {
		return this.#reader.room;
	}

	filled(bytes: number): boolean {
		this.#isPaused = !this.#reader.filled(bytes);
		if (this.#isIdle && this.#reader.isBroken) this.destroy(new Error('it said what nobody asked for'));
		this.#awake();
		return !this.#isPaused;
	}

	/** It can be used again: nothing of it is under way, and nothing went wrong. */
	get isGood(): boolean {
		return this.#ended === undefined && !this.#reader.isBroken;
	}

	/** Keeps the process from ending no more, and ends by itself in some time. */
	rest(): void {
		this.#isIdle = true;
		this.#socket?.setTimeout(idleMs).unref();
	}

	/** Asks for so many chunks; called after all of the answer before. */
	ask(request: Buffer, count: number): void {
		if (this.#isIdle) this.#socket?.setTimeout(0).ref();
		this.#isIdle = false;
		this.#reader.begin(count);
		const hello = this.#isGreeted ? undefined : encodeClientHello(this.#way.hello);
		this.#isGreeted = true;
		this.#socket?.write(hello ? Buffer.concat([hello, request]) : request);
	}

	/** As `AnswerReader.take`. */
	take(): Run | undefined {
		const run = this.#reader.take();
		if (this.#isPaused && this.#reader.wantsMore) {
			this.#isPaused = false;
			this.#opened?.goOn();
		}
		return run;
	}

	/** Resolves when more has come to be taken; `mover_unreachable` when none will. */
	async more(): Promise<void> {
		if (this.#ended !== undefined) throw this.#unreachable(this.#ended);
		const { promise, resolve } = Promise.withResolvers<void>();
		this.#wake = resolve;
		const { silenceMs } = this.#way;
		const heardBytes = this.#opened?.heardBytes;
		if (silenceMs === undefined || heardBytes === undefined) return promise;
		const onSilence = () => {
			this.#events.silence();
			this.destroy(new Error(`nothing was heard of it for ${silenceMs} ms`));
		};
		return unlessSilent(promise, { heardBytes, silenceMs, onSilence });
	}

	/** Idempotent; whoever waits hears the first reason. */
	destroy(reason: Error): void {
		this.#ended ??= reason;
		this.#socket?.destroy();
		this.#events.ended(this);
		this.#awake();
	}

	get #socket(): Socket | undefined {
		return this.#opened?.socket;
	}

	#awake(): void {
		const wake = this.#wake;
		this.#wake = undefined;
		wake?.();
	}

	#unreachable(cause: unknown): RouseError {
		const why = cause instanceof Error ? cause.message : String(cause);
		return new RouseError('mover_unreachable', `repository mover at ${this.#way.at}: ${why}`, { cause });
	}
}
