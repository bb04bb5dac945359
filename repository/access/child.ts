import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { RouseError } from '../../model/errors.ts';
import { type Answer, answerSchema, type Call } from './calls.ts';

/** A call without the number that its child knows it by. */
export type Question = Call extends infer One ? (One extends Call ? Omit<One, 'id'> : never) : never;

export interface ChildOptions {
	/** Within this a call is answered, or the child is killed and every call of it has failed. */
	deadlineMs: number;
	/** After so long without a call it is to end. */
	idleMs: number;
	/** Its environment instead of ours. */
	env?: NodeJS.ProcessEnv | undefined;
	/** SIGKILL, which a process that hangs in the kernel does not hear; a test has one that nobody hears. */
	kill?: (pid: number) => void;
}

const program = fileURLToPath(new URL('main.ts', import.meta.url));

interface Waiting {
	question: Question;
	resolve: (answer: Answer) => void;
	reject: (error: RouseError) => void;
	deadline: NodeJS.Timeout;
}

/**
 * One process that has to do with one repository, so that this one has not: with that of the first call. Keeps no process
 * alive by itself.
 */
export class AccessChild {
	/** Resolves when the process is gone. */
	readonly gone: Promise<void>;
	readonly #options: ChildOptions;
	readonly #process: ChildProcessByStdio<Writable, Readable, null>;
	readonly #waiting = new Map<number, Waiting>();
	#asked = 0;
	#idle: NodeJS.Timeout | undefined;
	#ending = false;
	#givenUp: string | undefined;

	constructor(options: ChildOptions) {
		this.#options = options;
		// A session of its own: what a terminal sends to us (Ctrl-C) is ours to answer; the child ends with its input.
		this.#process = spawn(process.execPath, [program], {
			stdio: ['pipe', 'pipe', 'inherit'],
			detached: true,
			...(options.env ? { env: options.env } : {}),
		});
		this.#process.unref();
		for (const stream of [this.#process.stdin, this.#process.stdout])
			if ('unref' in stream && typeof stream.unref === 'function') stream.unref();
		this.#process.stdin.on('error', () => undefined); // its end says it
		createInterface({ input: this.#process.stdout }).on('line', line => this.#answered(line));
		this.gone = new Promise(resolve => {
			const end = (why: string) => {
				this.#ending = true;
				clearTimeout(this.#idle);
				this.#failAll(why);
				resolve();
			};
			this.#process.once('error', error => end(`no process for it: ${error.message}`));
			this.#process.once('close', (code, signal) => end(`the process that was asked ended: ${signal ?? code}`));
		});
	}

	/** It takes no more calls: it was told to end, or has ended. One that was given up refuses them instead. */
	get over(): boolean {
		return this.#ending && this.#givenUp === undefined;
	}

	/** `store_unreachable` when there is no answer in time, and from then on until the process is gone. */
	ask(question: Question): Promise<unknown> {
		if (this.#givenUp !== undefined) return Promise.reject(unreachable(question, this.#givenUp));
		clearTimeout(this.#idle);
		const id = ++this.#asked;
		const { promise, resolve, reject } = Promise.withResolvers<Answer>();
		const deadline = setTimeout(() => this.#giveUp(question.do), this.#options.deadlineMs);
		this.#waiting.set(id, { question, resolve, reject, deadline });
		this.#process.stdin.write(`${JSON.stringify({ ...question, id })}\n`);
		return promise.then(({ result, error }) => {
			if (error) throw RouseError.fromDocument(error);
			return result;
		});
	}

	/** Ends it when what it does is done; resolves when it is gone, at once for one that was given up. */
	async close(): Promise<void> {
		if (this.#givenUp !== undefined) return;
		this.#process.ref();
		this.#end();
		await this.gone;
	}

	#end(): void {
		this.#ending = true;
		clearTimeout(this.#idle);
		this.#process.stdin.end();
	}

	#answered(line: string): void {
		const answer = answerSchema.parse(JSON.parse(line));
		const waiting = this.#waiting.get(answer.id);
		if (waiting === undefined) return;
		this.#waiting.delete(answer.id);
		clearTimeout(waiting.deadline);
		waiting.resolve(answer);
		if (this.#waiting.size > 0 || this.#ending) return;
		this.#idle = setTimeout(() => this.#end(), this.#options.idleMs).unref();
	}

	#giveUp(what: string): void {
		const { deadlineMs, kill = pid => process.kill(pid, 'SIGKILL') } = this.#options;
		const { pid } = this.#process;
		this.#givenUp = `process ${pid} was killed since ${new Date().toISOString()} for it, and hangs in the kernel`;
		this.#ending = true;
		this.#failAll(`${what}: no answer within ${deadlineMs} ms`);
		// Open pipes would hide its end.
		this.#process.stdin.destroy();
		this.#process.stdout.destroy();
		if (pid !== undefined) kill(pid);
	}

	#failAll(why: string): void {
		for (const { question, reject, deadline } of this.#waiting.values()) {
			clearTimeout(deadline);
			reject(unreachable(question, why));
		}
		this.#waiting.clear();
	}
}

function unreachable({ repository }: Question, why: string): RouseError {
	return new RouseError('store_unreachable', `repository ${repository} does not answer: ${why}`, {
		hint: 'look at its file system: is it mounted, and does it answer?',
	});
}
