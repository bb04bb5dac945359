import { connect, type Socket } from 'node:net';
import { RouseError } from '../../model/errors.ts';

/** How much of what the guest said is kept for error messages. */
const transcriptLines = 200;

interface Waiter {
	pattern: RegExp;
	found: (match: RegExpExecArray) => void;
	failed: (error: RouseError) => void;
}

/**
 * Talks to the agent of tools/guest over a serial console on a Unix socket. Whole lines only, and each is looked at once:
 * a wait begins behind the line that the last one ended with. One wait at a time.
 */
export class GuestConsole {
	readonly #socket: Socket;
	readonly #onLine: ((line: string) => void) | undefined;
	readonly #said: string[] = [];
	readonly #lines: string[] = [];
	#partial = '';
	#waiter: Waiter | undefined;
	#closed: string | undefined;

	private constructor(socket: Socket, onLine: ((line: string) => void) | undefined) {
		this.#socket = socket;
		this.#onLine = onLine;
		socket.setEncoding('utf8');
		socket.on('data', (text: string) => this.#receive(text));
		socket.on('error', error => this.#end(error.message));
		socket.on('close', () => this.#end('the machine closed it'));
	}

	/** `onLine` gets every line. Throws `machine_failed` when nobody listens. A console has one client: others wait until it is closed. */
	static async open(
		path: string,
		{ onLine }: { onLine?: ((line: string) => void) | undefined } = {},
	): Promise<GuestConsole> {
		const socket = connect({ path });
		const console = new GuestConsole(socket, onLine);
		await new Promise<void>((resolve, reject) => {
			socket.once('connect', resolve);
			socket.once('error', cause =>
				reject(new RouseError('machine_failed', `console ${path}: ${cause.message}`, { cause })),
			);
		});
		return console;
	}

	/** Everything of late, for a person. */
	get transcript(): string {
		return [...this.#said, this.#partial].join('\n');
	}

	/**
	 * The next line that `pattern` matches. Throws `timeout`, or `machine_failed` when the console ends before; both with
	 * the last lines that were said.
	 */
	async waitFor(
		pattern: RegExp,
		{ timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal | undefined },
	): Promise<RegExpExecArray> {
		signal?.throwIfAborted();
		if (this.#waiter) throw new RouseError('internal', 'somebody waits on this console already');
		const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>();
		const late = setTimeout(() => reject(this.#error('timeout', `no ${pattern} within ${timeoutMs} ms`)), timeoutMs);
		const abort = () => reject(signal?.reason);
		signal?.addEventListener('abort', abort, { once: true });
		this.#waiter = { pattern, found: resolve, failed: reject };
		this.#search();
		try {
			return await promise;
		} finally {
			this.#waiter = undefined;
			clearTimeout(late);
			signal?.removeEventListener('abort', abort);
		}
	}

	/** The guest's agent is there; it says so every two seconds until it is spoken to. */
	async ready(options: { timeoutMs: number; signal?: AbortSignal | undefined }): Promise<void> {
		await this.waitFor(/ROUSE-GUEST READY$/, options);
	}

	/** Gives the agent a command and waits for its answer; the agent's `error …` is a `machine_failed`. */
	async command(
		line: string,
		answer: RegExp,
		options: { timeoutMs: number; signal?: AbortSignal | undefined },
	): Promise<RegExpExecArray> {
		this.#socket.write(`${line}\n`);
		const either = new RegExp(`(?:${answer.source})|^error .*`, answer.flags);
		const found = await this.waitFor(either, options);
		if (found[0].startsWith('error '))
			throw this.#error('machine_failed', `the guest answers "${line}" with "${found[0]}"`);
		return found;
	}

	close(): void {
		this.#socket.destroy();
	}

	#receive(text: string): void {
		// A terminal ends its lines with both.
		const parts = (this.#partial + text.replaceAll('\r', '')).split('\n');
		this.#partial = parts.pop() ?? '';
		for (const line of parts) this.#onLine?.(line);
		this.#lines.push(...parts);
		this.#said.push(...parts);
		this.#said.splice(0, Math.max(0, this.#said.length - transcriptLines));
		this.#search();
	}

	#search(): void {
		if (!this.#waiter) return;
		for (let line = this.#lines.shift(); line !== undefined; line = this.#lines.shift()) {
			const match = this.#waiter.pattern.exec(line);
			if (match) return this.#waiter.found(match);
		}
		if (this.#closed !== undefined) this.#waiter.failed(this.#error('machine_failed', this.#closed));
	}

	#end(why: string): void {
		this.#closed ??= `the guest's console ended: ${why}`;
		this.#search();
	}

	#error(code: 'timeout' | 'machine_failed', message: string): RouseError {
		const last = this.transcript.split('\n').slice(-15).join('\n');
		return new RouseError(code, `${message}; the guest said last:\n${last}`);
	}
}
