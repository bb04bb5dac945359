import type { IncomingMessage } from 'node:http';
import { gunzipSync } from 'node:zlib';
import * as z from 'zod';
import { untilAborted } from '../../../repository/until-aborted.ts';
import { jsonOf } from '../../../system/json-of.ts';
import type { GoogleAccess } from './access.ts';
import type { Endpoints } from './endpoints.ts';
import { GoogleFault, type GoogleFaultKind, isWord } from './fault.ts';
import { Connections, get, piecesOf } from './get.ts';
import { type Patience, Tries, usualPatience } from './tries.ts';

/** Descriptions are some KiB long. */
const mostJsonBytes = 2 ** 20;

export interface ApiParts {
	access: Pick<GoogleAccess, 'headers' | 'forget'>;
	endpoints: Endpoints;
	patience?: Patience;
}

/** A request, by the permission that it needs. */
export interface Asked {
	call: string;
	url: URL;
}

/** Google's APIs, as far as they are read. All of it throws {@link GoogleFault}, and `config_invalid` for a credential that is none. */
export class GoogleApi {
	readonly endpoints: Endpoints;
	readonly #access: ApiParts['access'];
	readonly #patience: Patience;
	readonly #connections = new Connections();

	constructor({ access, endpoints, patience = usualPatience }: ApiParts) {
		this.#access = access;
		this.endpoints = endpoints;
		this.#patience = patience;
	}

	tries(): Tries {
		return new Tries(this.#patience, () => this.#access.forget());
	}

	/** Tried again where that may help. */
	async json<T>(asked: Asked, schema: z.ZodType<T>, signal: AbortSignal): Promise<T> {
		const tries = this.tries();
		for (;;) {
			try {
				const answer = await this.get(asked, {}, signal);
				const parsed = schema.safeParse(jsonOf(await this.#textOf(answer, asked.call, signal)));
				if (parsed.success) return parsed.data;
				const where = parsed.error.issues[0]?.path.map(String).join('.') ?? '';
				throw new GoogleFault('refused', { call: asked.call, word: `an answer that is not known: ${where}` });
			} catch (error) {
				await tries.again(error, signal);
			}
		}
	}

	/** One try: the answer, when its status says that it is one. Whoever gets it reads it to its end, or destroys it. */
	async get(
		{ call, url }: Asked,
		headers: Readonly<Record<string, string>>,
		signal: AbortSignal,
	): Promise<IncomingMessage> {
		const caller = await untilAborted(this.#access.headers(call), signal);
		const options = { ...this.#common(call), headers: { ...caller, ...headers } };
		const answer = await get(url, options, signal);
		const status = answer.statusCode ?? 0;
		if (status === 200 || status === 206) return answer;
		throw refusalOf(status, {
			call,
			reason: await this.#reasonOf(answer, call, signal),
			waits: answer.headers['retry-after'],
		});
	}

	/** Of an answer that {@link get} has given. */
	pieces(answer: IncomingMessage, call: string, signal: AbortSignal): AsyncGenerator<Buffer> {
		return piecesOf(answer, this.#common(call), signal);
	}

	close(): void {
		this.#connections.close();
	}

	#common(call: string) {
		return { call, stallMs: this.#patience.stallMs, connections: this.#connections };
	}

	async #textOf(answer: IncomingMessage, call: string, signal: AbortSignal): Promise<string> {
		const pieces: Buffer[] = [];
		let length = 0;
		for await (const piece of this.pieces(answer, call, signal)) {
			length += piece.length;
			if (length > mostJsonBytes) throw new GoogleFault('refused', { call, word: 'an answer without end' });
			pieces.push(piece);
		}
		const bytes = Buffer.concat(pieces);
		// A refusal of packed bytes comes packed as well.
		const isPacked = answer.headers['content-encoding'] === 'gzip';
		return (isPacked ? gunzipSync(bytes, { maxOutputLength: mostJsonBytes }) : bytes).toString('utf8');
	}

	/** Google's own word; undefined where it has none. */
	async #reasonOf(answer: IncomingMessage, call: string, signal: AbortSignal): Promise<string | undefined> {
		try {
			return reasonSchema.parse(jsonOf(await this.#textOf(answer, call, signal)));
		} catch {
			signal.throwIfAborted();
			return undefined; // the status says enough
		}
	}
}

/** JSON API documentation, "HTTP status and error codes". */
const reasonSchema = z
	.object({ error: z.object({ errors: z.array(z.object({ reason: z.string() })).min(1) }) })
	.transform(({ error }) => error.errors[0]?.reason)
	.refine(isWord);

/** Of 403: it is not who asks, but how often. */
const throttlingReasons = ['rateLimitExceeded', 'userRateLimitExceeded', 'quotaExceeded', 'dailyLimitExceeded'];

const byStatus: Readonly<Record<number, GoogleFaultKind>> = {
	401: 'unknown-caller',
	403: 'denied',
	404: 'missing',
	408: 'unreachable',
	412: 'changed',
	416: 'range',
	429: 'throttled',
};

function refusalOf(
	status: number,
	{ call, reason, waits }: { call: string; reason: string | undefined; waits: string | undefined },
): GoogleFault {
	const isThrottled = status === 403 && reason !== undefined && throttlingReasons.includes(reason);
	const fault = isThrottled ? 'throttled' : (byStatus[status] ?? (status >= 500 ? 'unreachable' : 'refused'));
	const word = reason === undefined ? `status ${status}` : `status ${status}, ${reason}`;
	const seconds = /^\d{1,4}$/.test(waits ?? '') ? Number(waits) : undefined;
	return new GoogleFault(fault, { call, word, waitMs: seconds === undefined ? undefined : seconds * 1000 });
}
