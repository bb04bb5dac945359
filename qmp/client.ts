import { createConnection } from 'node:net';
import type { Duplex } from 'node:stream';
import type * as z from 'zod';
import { asRouseError, RouseError } from '../model/errors.ts';
import { refusalText } from '../model/issue-text.ts';
import { isErrno } from '../system/durable-file.ts';
import { openSocket } from '../system/open-socket.ts';
import { unlessAborted } from '../system/unless-aborted.ts';
import { type QmpEvent, type QmpMessage, QmpSession } from './session.ts';

/** What the machine needs of a monitor; tests put a lying one in its place. */
export interface Qmp {
	readonly closed: boolean;
	/**
	 * Runs a command. Throws `hypervisor_stuck` when no answer comes in time (QEMU lives on, and may still do what was
	 * asked), `hypervisor_failed` with `details.class` when QEMU refuses, or when it goes away.
	 */
	execute(command: string, args?: Record<string, unknown>, options?: ExecuteOptions): Promise<unknown>;
	/** The next event that `matches`; `timeout` when none comes. Only events from the call on are seen. */
	waitForEvent(matches: (event: QmpEvent) => boolean, timeoutMs: number): Promise<QmpEvent>;
	/** Called with every event. */
	onEvent(listener: (event: QmpEvent) => void): void;
	close(): void;
}

export interface ExecuteOptions {
	timeoutMs?: number;
}

export interface ConnectOptions extends ExecuteOptions {
	signal?: AbortSignal | undefined;
}

/**
 * Long enough for a `stop` that first flushes what the guest wrote. A monitor that is silent for longer holds an
 * unanswered read, most likely; that is never a reason to end QEMU.
 */
const commandTimeoutMs = 30_000;

/** Like {@link Qmp.execute}, with the answer checked. */
export async function query<S extends z.ZodType>(
	qmp: Qmp,
	command: string,
	schema: S,
	args?: Record<string, unknown>,
	options?: ExecuteOptions,
): Promise<z.output<S>> {
	const parsed = schema.safeParse(await qmp.execute(command, args, options));
	if (parsed.success) return parsed.data;
	throw new RouseError('protocol', `QMP ${command}: unexpected answer: ${refusalText(parsed.error)}`, {
		cause: parsed.error,
	});
}

interface Waiting {
	command: string;
	resolve: (value: unknown) => void;
	reject: (error: RouseError) => void;
}

/** A QMP connection, over a Unix socket as a rule. A monitor serves one client at a time: a second one gets no greeting. */
export class QmpClient implements Qmp {
	readonly #stream: Duplex;
	readonly #path: string;
	readonly #session = new QmpSession();
	readonly #waiting = new Map<string, Waiting>();
	readonly #listeners = new Set<(event: QmpEvent) => void>();
	#greeted: (() => void) | undefined;
	#failure: RouseError | undefined;

	private constructor(stream: Duplex, path: string) {
		this.#stream = stream;
		this.#path = path;
		stream.on('data', (bytes: Buffer | string) => this.#receive(Buffer.from(bytes)));
		stream.on('error', cause => this.#fail(connectionError(path, cause)));
		stream.on('close', () => this.#fail(new RouseError('hypervisor_failed', `QEMU closed the monitor ${path}`)));
	}

	/**
	 * Connects and negotiates. `hypervisor_failed` when nobody listens, `hypervisor_stuck` when nobody greets, and
	 * `identity_conflict` when it is no socket.
	 */
	static async connect(path: string, options: ConnectOptions = {}): Promise<QmpClient> {
		const socket = await openSocket(path).catch((cause: unknown) => {
			throw isErrno(cause, 'ENOENT') ? connectionError(path, cause) : cause;
		});
		try {
			return await QmpClient.over(createConnection(socket.way), path, options);
		} finally {
			await socket.close();
		}
	}

	/** Negotiates on any connection; `path` is what it is called in errors. */
	static async over(
		stream: Duplex,
		path: string,
		{ timeoutMs = commandTimeoutMs, signal }: ConnectOptions = {},
	): Promise<QmpClient> {
		const deadline = performance.now() + timeoutMs;
		const client = new QmpClient(stream, path);
		const negotiate = async () => {
			await client.#greeting(timeoutMs);
			await client.execute('qmp_capabilities', undefined, { timeoutMs: Math.max(1, deadline - performance.now()) });
		};
		try {
			await unlessAborted(signal, negotiate);
			return client;
		} catch (error) {
			client.close();
			throw error;
		}
	}

	get closed(): boolean {
		return this.#failure !== undefined;
	}

	execute(command: string, args?: Record<string, unknown>, options: ExecuteOptions = {}): Promise<unknown> {
		const { timeoutMs = commandTimeoutMs } = options;
		if (this.#failure) return Promise.reject(this.#failure);
		const { id, bytes } = this.#session.command(command, args);
		return new Promise<unknown>((resolve, reject) => {
			const timer = setTimeout(() => {
				this.#waiting.delete(id); // a late answer finds nobody and is dropped
				reject(
					new RouseError('hypervisor_stuck', `QMP ${command} on ${this.#path}: no answer within ${timeoutMs} ms`, {
						hint: 'an unanswered read holds QEMU up: see whether the mount mover and the repository are there',
					}),
				);
			}, timeoutMs);
			this.#waiting.set(id, {
				command,
				resolve: value => {
					clearTimeout(timer);
					resolve(value);
				},
				reject: error => {
					clearTimeout(timer);
					reject(error);
				},
			});
			this.#stream.write(bytes);
		});
	}

	waitForEvent(matches: (event: QmpEvent) => boolean, timeoutMs: number): Promise<QmpEvent> {
		return new Promise((resolve, reject) => {
			const end = () => {
				clearTimeout(timer);
				this.#listeners.delete(look);
			};
			const look = (event: QmpEvent) => {
				if (!matches(event)) return;
				end();
				resolve(event);
			};
			const timer = setTimeout(() => {
				end();
				reject(new RouseError('timeout', `QMP on ${this.#path}: event not within ${timeoutMs} ms`));
			}, timeoutMs);
			this.#listeners.add(look);
		});
	}

	onEvent(listener: (event: QmpEvent) => void): void {
		this.#listeners.add(listener);
	}

	/** Closes the connection; QEMU goes on and takes the next client. */
	close(): void {
		this.#fail(new RouseError('hypervisor_failed', `the monitor ${this.#path} was closed`));
	}

	#greeting(timeoutMs: number): Promise<void> {
		return new Promise((resolve, reject) => {
			const timer = setTimeout(
				() => reject(new RouseError('hypervisor_stuck', `QMP on ${this.#path}: no greeting within ${timeoutMs} ms`)),
				timeoutMs,
			);
			const settle = (act: () => void) => () => {
				clearTimeout(timer);
				act();
			};
			this.#greeted = settle(resolve);
			this.#stream.once('close', () => settle(() => reject(this.#failure))());
		});
	}

	#receive(bytes: Buffer): void {
		let messages: QmpMessage[];
		try {
			messages = this.#session.push(bytes);
		} catch (thrown) {
			this.#fail(asRouseError(thrown));
			return;
		}
		for (const message of messages) this.#take(message);
	}

	#take(message: QmpMessage): void {
		switch (message.kind) {
			case 'greeting':
				this.#greeted?.();
				return;
			case 'event':
				for (const listener of this.#listeners) listener(message); // a set may lose members while it is walked
				return;
			case 'return':
			case 'error': {
				const waiting = this.#waiting.get(message.id);
				this.#waiting.delete(message.id);
				if (message.kind === 'return') waiting?.resolve(message.value);
				else
					waiting?.reject(
						new RouseError('hypervisor_failed', `QMP ${waiting.command}: ${message.description}`, {
							details: { class: message.class },
						}),
					);
			}
		}
	}

	#fail(error: RouseError): void {
		if (this.#failure) return;
		this.#failure = error;
		this.#stream.destroy();
		for (const waiting of this.#waiting.values()) waiting.reject(error);
		this.#waiting.clear();
	}
}

/** Of a QEMU that stands still nobody takes the connections; once some wait, the kernel refuses more: EAGAIN of unix(7). */
function connectionError(path: string, cause: unknown): RouseError {
	if (isErrno(cause, 'EAGAIN'))
		return new RouseError('hypervisor_stuck', `QMP on ${path}: QEMU takes no connections`, { cause });
	return new RouseError('hypervisor_failed', `QMP on ${path} failed`, { cause });
}
