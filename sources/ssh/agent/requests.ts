import type { Writable } from 'node:stream';
import { RouseError } from '../../../model/errors.ts';
import type { Waiting } from './answers.ts';
import { type AgentRequest, type AnswerHeader, encodeRequest } from './protocol.ts';

/** Answers wait on the other side until they are taken: enough for a line that is long. */
const mostUnanswered = 8;

export interface Answer {
	header: AnswerHeader;
	body: Buffer;
}

/** What an agent was asked and has not answered yet, in the order in which it was asked. */
export class Requests {
	readonly #stdin: Writable;
	readonly #waiting: Waiting[] = [];
	/** Whoever waits for an answer, or for its turn to ask. */
	readonly #rejects = new Set<(error: RouseError) => void>();
	readonly #turns: (() => void)[] = [];
	#unanswered = 0;
	#number = 0;
	#failure: RouseError | undefined;

	constructor(stdin: Writable) {
		this.#stdin = stdin;
	}

	/** Who waits for the answer that begins. */
	next(): Waiting | undefined {
		return this.#waiting.shift();
	}

	/** All that waits, and whatever is asked from then on. */
	fail(error: RouseError): void {
		this.#failure ??= error;
		for (const reject of this.#rejects) reject(this.#failure);
		for (const turn of this.#turns.splice(0)) turn();
	}

	/** The body goes into `into` where it is that long. Throws the signal's reason, and what {@link fail} was told. */
	async ask(request: AgentRequest, signal: AbortSignal | undefined, into?: Buffer): Promise<Answer> {
		await this.#turn(signal);
		const number = (this.#number = (this.#number + 1) >>> 0);
		return await new Promise<Answer>((resolve, reject) => {
			const done = () => {
				this.#rejects.delete(fail);
				signal?.removeEventListener('abort', abort);
			};
			const fail = (error: unknown) => {
				done();
				reject(error instanceof Error ? error : new Error(String(error)));
			};
			const abort = () => {
				waiting.hasLeft = true;
				fail(signal?.reason);
			};
			const waiting: Waiting = {
				number,
				into,
				hasLeft: false,
				answered: (header, body) => {
					this.#unanswered -= 1;
					this.#turns.shift()?.();
					done();
					resolve({ header, body });
				},
			};
			this.#rejects.add(fail);
			signal?.addEventListener('abort', abort, { once: true });
			this.#waiting.push(waiting);
			this.#stdin.write(encodeRequest(number, request));
		});
	}

	/** Until few enough are unanswered. */
	async #turn(signal: AbortSignal | undefined): Promise<void> {
		signal?.throwIfAborted();
		while (this.#unanswered >= mostUnanswered && this.#failure === undefined) await this.#freed(signal);
		if (this.#failure !== undefined) throw this.#failure;
		if (signal?.aborted) this.#turns.shift()?.(); // another's turn then
		signal?.throwIfAborted();
		this.#unanswered += 1;
	}

	/** A disk there may hang, and nothing be answered for long: who gives up does not wait for that. */
	async #freed(signal: AbortSignal | undefined): Promise<void> {
		await new Promise<void>((resolve, reject) => {
			const turn = () => {
				signal?.removeEventListener('abort', abort);
				resolve();
			};
			const abort = () => {
				this.#turns.splice(this.#turns.indexOf(turn), 1);
				reject(signal?.reason instanceof Error ? signal.reason : new Error(String(signal?.reason)));
			};
			this.#turns.push(turn);
			signal?.addEventListener('abort', abort, { once: true });
		});
	}
}
