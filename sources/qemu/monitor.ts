import type * as z from 'zod';
import { asRouseError, RouseError } from '../../model/errors.ts';
import { QmpClient, query } from '../../qmp/client.ts';
import { isErrno } from '../../system/durable-file.ts';
import { unlessAborted } from '../../system/unless-aborted.ts';

/** A monitor greets at once, or serves somebody else. Another step of ours leaves it within this time. */
const greetingMs = 5_000;
/** A `transaction` waits until all that the guest has under way on its disks is done. */
const answerMs = 60_000;

/** QEMU as the steps of an import ask it. Errors: `source_unreachable`, `source_busy`, and see {@link isRefusal}. */
export interface Monitor {
	ask<S extends z.ZodType>(command: string, schema: S, args?: Record<string, unknown>): Promise<z.output<S>>;
	order(command: string, args?: Record<string, unknown>): Promise<void>;
}

/** Whether QEMU understood a command and would not, or could not, do it. */
export function isRefusal(error: unknown): error is RouseError {
	return error instanceof RouseError && error.details?.['refused'] === true;
}

/**
 * The way to a QEMU's monitor. A QMP socket serves one client at a time, and the next one waits unseen: so each piece of work connects, and
 * leaves; never one within another.
 */
export class MonitorPlace {
	readonly #path: string;
	readonly #greetingMs: number;
	#last: Promise<unknown> = Promise.resolve();

	constructor(path: string, { greetingMs: withinMs = greetingMs }: { greetingMs?: number | undefined } = {}) {
		this.#path = path;
		this.#greetingMs = withinMs;
	}

	async with<T>(signal: AbortSignal, work: (monitor: Monitor) => Promise<T>): Promise<T> {
		const turn = this.#last.then(() => this.#with(signal, work));
		this.#last = turn.catch(() => {}); // for who waits for it
		return turn;
	}

	async #with<T>(signal: AbortSignal, work: (monitor: Monitor) => Promise<T>): Promise<T> {
		signal.throwIfAborted();
		const qmp = await this.#connect(signal);
		try {
			const call = async <R>(ask: () => Promise<R>) => {
				try {
					return await unlessAborted(signal, ask);
				} catch (error) {
					signal.throwIfAborted();
					throw ofCommand(error);
				}
			};
			const limit = { timeoutMs: answerMs };
			return await work({
				ask: (command, schema, args) => call(() => query(qmp, command, schema, args, limit)),
				order: async (command, args) => void (await call(() => qmp.execute(command, args, limit))),
			});
		} finally {
			qmp.close();
		}
	}

	async #connect(signal: AbortSignal): Promise<QmpClient> {
		try {
			return await QmpClient.connect(this.#path, { timeoutMs: this.#greetingMs, signal });
		} catch (cause) {
			signal.throwIfAborted();
			const { code, message } = asRouseError(cause);
			if (code === 'hypervisor_stuck')
				throw new RouseError('source_busy', `${this.#path} does not greet: somebody else is at that monitor`, {
					cause,
					hint: 'give Rouse a monitor of its own: start QEMU with one more -qmp unix:PATH,server=on,wait=off',
				});
			throw new RouseError('source_unreachable', `no QEMU is to be found: ${message}`, {
				cause,
				details: { nobodyListens: isNobody(cause) },
				hint: 'see that the machine runs, and that this user may connect to its monitor',
			});
		}
	}
}

/** Whether nobody listens at the monitor any more: that QEMU has ended, and with it all that it held. */
export function hasEnded(error: unknown): boolean {
	return error instanceof RouseError && error.details?.['nobodyListens'] === true;
}

function isNobody(error: unknown): boolean {
	const cause = error instanceof Error ? error.cause : undefined;
	return isErrno(cause, 'ENOENT') || isErrno(cause, 'ECONNREFUSED');
}

function ofCommand(cause: unknown): unknown {
	if (!(cause instanceof RouseError)) return cause;
	const { code, message, details } = cause;
	if (code === 'hypervisor_failed' && details?.['class'] !== undefined)
		return new RouseError('source_invalid', message, { cause, details: { refused: true } });
	if (code === 'hypervisor_failed' || code === 'hypervisor_stuck')
		return new RouseError('source_unreachable', message, { cause });
	return cause;
}
