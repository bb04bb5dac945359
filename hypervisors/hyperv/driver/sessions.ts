/**
 * The sessions with one Windows host: as many as there are requests at a time, within bounds, since some take minutes; those
 * that are not used end.
 */
import type * as z from 'zod';
import type { CallOptions } from '../../contract.ts';
import { type ErrorCode, RouseError } from '../../../model/errors.ts';
import { refusalText } from '../../../model/issue-text.ts';
import { loadDriverScript } from './bootstrap.ts';
import type { Driver } from './driver.ts';
import { type AnswerOf, type OperationName, operations, type RequestOf } from './requests.ts';
import { DriverSession } from './session.ts';
import type { OperatorDestination } from '../../../system/ssh-destination.ts';
import { timeoutsMs } from './timeouts.ts';

/** {@link operations} by their names, so that an answer has the type of what was asked. */
const checks: {
	readonly [Name in OperationName]: {
		request: z.ZodType<Record<string, unknown>>;
		answer: z.ZodType<AnswerOf<Name>>;
	};
} = operations;

export interface SessionsOptions {
	start: () => DriverSession;
	/** A PowerShell with Hyper-V's module takes some 100 MiB of the host. */
	most?: number;
	idleMs?: number;
}

interface Place {
	session: DriverSession;
	taken: boolean;
	/** Whoever asked waits no longer, and the host still works at it. */
	abandoned: boolean;
	idle: NodeJS.Timeout | undefined;
}

/** Begins no session before the first request. */
export async function connectDriver(destination: OperatorDestination): Promise<DriverSessions> {
	const script = await loadDriverScript();
	return new DriverSessions({ start: () => DriverSession.overSsh(destination, script) });
}

export class DriverSessions implements Driver {
	readonly #options: Required<SessionsOptions>;
	readonly #places = new Set<Place>();
	#change = Promise.withResolvers<void>();
	#closed = false;

	constructor({ start, most = 6, idleMs = 60_000 }: SessionsOptions) {
		this.#options = { start, most, idleMs };
	}

	async ask<Name extends OperationName>(
		name: Name,
		request: RequestOf<Name>,
		{ signal, timeoutMs = timeoutsMs[name] }: CallOptions & { timeoutMs?: number } = {},
	): Promise<AnswerOf<Name>> {
		const { request: requestSchema, answer: answerSchema } = checks[name];
		const body = parsed('internal', `request ${name}`, requestSchema, request);
		const result = await whileWanted(name, { signal, timeoutMs }, gone => this.#askOne(name, body, gone));
		return parsed('protocol', `answer to ${name}`, answerSchema, result);
	}

	/** Ends all sessions; what is asked is given up, and may be done all the same. */
	async close(): Promise<void> {
		this.#closed = true;
		this.#changed();
		await Promise.all([...this.#places].map(place => this.#drop(place)));
	}

	/** An aborted `gone` leaves the request to the host: its session is used again after the answer. */
	async #askOne(name: OperationName, body: Record<string, unknown>, gone: AbortSignal): Promise<unknown> {
		const place = await this.#take(gone);
		const abandon = () => {
			place.abandoned = true;
			this.#changed();
		};
		gone.addEventListener('abort', abandon, { once: true });
		try {
			return await place.session.ask(name, body);
		} finally {
			gone.removeEventListener('abort', abandon);
			this.#release(place);
		}
	}

	async #take(gone: AbortSignal): Promise<Place> {
		for (;;) {
			gone.throwIfAborted();
			if (this.#closed) throw new RouseError('hypervisor_failed', 'the sessions with the host were closed');
			const place = this.#free();
			if (place) {
				clearTimeout(place.idle);
				place.taken = true;
				return place;
			}
			await this.#change.promise;
		}
	}

	#free(): Place | undefined {
		const places = [...this.#places];
		const idle = places.find(({ taken, session }) => !taken && !session.failed);
		if (idle) return idle;
		if (places.length < this.#options.most) return this.#begin();
		// What hangs for ever on the host must not keep everybody else out.
		const abandoned = places.find(place => place.abandoned);
		if (!abandoned) return undefined;
		void this.#drop(abandoned);
		return this.#begin();
	}

	#begin(): Place {
		const session = this.#options.start();
		const place: Place = { session, taken: false, abandoned: false, idle: undefined };
		this.#places.add(place);
		void session.ended.then(() => this.#forget(place));
		return place;
	}

	#release(place: Place): void {
		place.taken = false;
		place.abandoned = false;
		if (place.session.failed) this.#forget(place);
		else place.idle = setTimeout(() => void this.#drop(place), this.#options.idleMs);
		this.#changed();
	}

	async #drop(place: Place): Promise<void> {
		this.#forget(place);
		await place.session.close();
	}

	#forget(place: Place): void {
		clearTimeout(place.idle);
		this.#places.delete(place);
		this.#changed();
	}

	#changed(): void {
		this.#change.resolve();
		this.#change = Promise.withResolvers();
	}
}

/** `work` is told when nobody waits for it any more: aborted, or after `timeoutMs`, which is `hypervisor_stuck`. */
async function whileWanted<T>(
	name: OperationName,
	{ signal, timeoutMs }: { signal: AbortSignal | undefined; timeoutMs: number },
	work: (gone: AbortSignal) => Promise<T>,
): Promise<T> {
	signal?.throwIfAborted();
	const late = new RouseError('hypervisor_stuck', `the host did not answer ${name} within ${timeoutMs} ms`, {
		hint: 'look at the host: what was asked may still be under way there, and is asked again',
	});
	const gone = new AbortController();
	const over = Promise.withResolvers<never>();
	const leave = (reason: unknown) => {
		over.reject(reason);
		gone.abort(reason);
	};
	const abort = () => leave(signal?.reason);
	const timer = setTimeout(() => leave(late), timeoutMs);
	signal?.addEventListener('abort', abort, { once: true });
	try {
		return await Promise.race([over.promise, work(gone.signal)]);
	} finally {
		clearTimeout(timer);
		signal?.removeEventListener('abort', abort);
	}
}

function parsed<T>(code: ErrorCode, what: string, schema: z.ZodType<T>, value: unknown): T {
	const result = schema.safeParse(value);
	if (result.success) return result.data;
	throw new RouseError(code, `driver: ${what}: ${refusalText(result.error)}`, { cause: result.error });
}
