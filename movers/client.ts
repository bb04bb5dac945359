/**
 * The movers' control sockets, as the supervisor uses them. Every call ends within its `timeoutMs` with an answer or
 * `mover_unreachable`: a mover that hangs must not make its supervisor hang.
 */
import type * as z from 'zod';
import { RouseError } from '../model/errors.ts';
import { callJson } from '../system/unix-http.ts';
import {
	type MigrationMoverState,
	migrationMoverStateSchema,
	type MountMoverState,
	mountMoverStateSchema,
	type RepositoryMoverState,
	repositoryMoverStateSchema,
} from './config.ts';
import { type FirstReads, recordedReadsSchema } from './first-reads.ts';

export interface ControlOptions {
	/** Default 2 s: a mover answers from memory. */
	timeoutMs?: number;
	signal?: AbortSignal | undefined;
}

export class MountMoverControl {
	readonly #socket: string;

	constructor(controlSocket: string) {
		this.#socket = controlSocket;
	}

	state(options?: ControlOptions): Promise<MountMoverState> {
		return ask(this.#socket, 'GET', '/state', undefined, mountMoverStateSchema, options);
	}

	/** What the machine has read first, up to the first time that this was asked; null when that is not known. */
	async firstReads(options?: ControlOptions): Promise<FirstReads | null> {
		const { firstReads } = await ask(this.#socket, 'GET', '/first-reads', undefined, recordedReadsSchema, options);
		return firstReads;
	}

	/**
	 * Answers waiting reads with EIO, now and for `forMs`. Made before every call of a platform that would hang
	 * on a read that waits.
	 */
	async failPending(forMs: number, options?: ControlOptions): Promise<void> {
		await call(this.#socket, 'POST', '/fail-pending', { forMs }, options);
	}

	/** Ends `failPending` and forgets bad chunks, so that they are asked for again. */
	async serve(options?: ControlOptions): Promise<void> {
		await call(this.#socket, 'POST', '/serve', {}, options);
	}
}

export class MigrationMoverControl {
	readonly #socket: string;

	constructor(controlSocket: string) {
		this.#socket = controlSocket;
	}

	state(options?: ControlOptions): Promise<MigrationMoverState> {
		return ask(this.#socket, 'GET', '/state', undefined, migrationMoverStateSchema, options);
	}

	/** Copies all that is missing; may be repeated. After a failure only the rate is taken: that needs `retry`. */
	async copy(maxRateBytes: number, options?: ControlOptions): Promise<void> {
		await call(this.#socket, 'POST', '/copy', { maxRateBytes }, options);
	}

	/** Returns when nothing is copied any more, until it is told to `copy`; chunks that a guest has read are taken all the same. */
	async pause(options?: ControlOptions): Promise<void> {
		await call(this.#socket, 'POST', '/pause', {}, options);
	}

	/** Bytes of disk a second, 0 is unlimited; takes effect at once. */
	async rate(maxRateBytes: number, options?: ControlOptions): Promise<void> {
		await call(this.#socket, 'POST', '/rate', { maxRateBytes }, options);
	}

	/** After a repair: forgets the failure and the bad chunks, opens targets that failed again, and goes on copying. */
	async retry(options?: ControlOptions): Promise<void> {
		await call(this.#socket, 'POST', '/retry', {}, options);
	}
}

export class RepositoryMoverControl {
	readonly #socket: string;

	constructor(controlSocket: string) {
		this.#socket = controlSocket;
	}

	state(options?: ControlOptions): Promise<RepositoryMoverState> {
		return ask(this.#socket, 'GET', '/state', undefined, repositoryMoverStateSchema, options);
	}

	/** What all may read of it in a second, as it lies there; 0 is unlimited. Takes effect at once. */
	async rate(maxRateBytes: number, options?: ControlOptions): Promise<void> {
		await call(this.#socket, 'POST', '/rate', { maxRateBytes }, options);
	}
}

function call(
	socket: string,
	method: string,
	path: string,
	body: unknown,
	options: ControlOptions = {},
): Promise<unknown> {
	const { timeoutMs = 2_000, signal } = options;
	return callJson(socket, method, path, body, { unreachable: 'mover_unreachable', timeoutMs, signal });
}

async function ask<S extends z.ZodType>(
	socket: string,
	method: string,
	path: string,
	body: unknown,
	schema: S,
	options?: ControlOptions,
): Promise<z.output<S>> {
	const result = schema.safeParse(await call(socket, method, path, body, options));
	if (result.success) return result.data;
	throw new RouseError('protocol', `${method} ${path} on ${socket}: an answer of another version of Rouse`, {
		cause: result.error,
	});
}
